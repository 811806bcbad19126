"""The pipeline, as one expression."""

import apache_beam as beam

from beam_pipeline.inputs import BuildInputs
from transforms.index import IndexArchives
from transforms.metadata import WriteMetadata
from transforms.plan import PlanShards
from transforms.shards import BuildShards
from transforms.subsets import SelectMembers


def build_dataset(
    root: beam.Pipeline, inputs: BuildInputs, watched_at: str = ""
) -> beam.PCollection[str]:
    """Builds a dataset from archives.

    Only descriptions of where bytes lie pass from step to step; the worker that
    builds a shard reads its images itself.

    Args:
        root: The pipeline to build in.
        inputs: What to read, what to keep and where to write.
        watched_at: Address that workers tell of their progress; empty for none.

    Returns:
        The formats that are finished.
    """
    return (
        root
        | "Archives" >> beam.Create(inputs.archives)
        | "IndexArchives" >> IndexArchives(inputs.index_dir)
        | "SelectMembers" >> SelectMembers(inputs.selections)
        | "PlanShards" >> PlanShards(inputs.options)
        | "BuildShards" >> BuildShards(inputs.output, watched_at)
        | "WriteMetadata"
        >> WriteMetadata(inputs.facts, inputs.output, inputs.max_rejects)
    )
