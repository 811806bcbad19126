"""The pipeline, as one expression."""

import apache_beam as beam

from beam_pipeline.inputs import BuildInputs
from transforms.estimate import EstimateBuild
from transforms.index import IndexArchives
from transforms.metadata import WriteMetadata
from transforms.plan import PlanShards, ShardSpec
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
        _plan_dataset(root, inputs, save_index=True)
        | "BuildShards" >> BuildShards(inputs.output, watched_at)
        | "WriteMetadata"
        >> WriteMetadata(inputs.facts, inputs.output, inputs.max_rejects)
    )


def estimate_build(root: beam.Pipeline, inputs: BuildInputs) -> beam.PCollection[None]:
    """Plans a dataset and counts what its build would come to; writes nothing.

    Args:
        root: The pipeline to plan in.
        inputs: What would be read, kept and written.
    """
    return _plan_dataset(root, inputs, save_index=False) | "EstimateBuild" >> (
        EstimateBuild(inputs.output)
    )


def _plan_dataset(
    root: beam.Pipeline, inputs: BuildInputs, *, save_index: bool
) -> beam.PCollection[ShardSpec]:
    return (
        root
        | "Archives" >> beam.Create(inputs.archives)
        | "IndexArchives" >> IndexArchives(inputs.index_dir, save_index)
        | "SelectMembers" >> SelectMembers(inputs.selections)
        | "PlanShards" >> PlanShards(inputs.options)
    )
