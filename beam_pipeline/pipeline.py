"""The pipelines, each as one expression."""

from collections.abc import Mapping

import apache_beam as beam

from beam_pipeline.inputs import BuildInputs, VerifyInputs
from transforms.archives.steps import IndexArchives
from transforms.documents.steps import WriteMetadata
from transforms.planning import ShardSpec
from transforms.planning.steps import PlanShards, SelectMembers
from transforms.shards import ShardProgress
from transforms.shards.steps import BuildShards, EstimateBuild
from transforms.verification.steps import CheckFiles, ConcludeSplits, HashMembers


def build_dataset(
    root: beam.Pipeline, inputs: BuildInputs, watched_at: str = ""
) -> beam.PCollection[str]:
    """Builds a dataset from archives.

    Only descriptions of where bytes lie pass from step to step; the worker that
    builds a shard reads its images itself.

    Args:
        root: The pipeline to build in.
        inputs: What to read, what to keep and where to write.
        watched_at: Address that workers send their progress to; empty for none.

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


def verify_dataset(
    root: beam.Pipeline,
    inputs: VerifyInputs,
    directory: str,
    files: Mapping[str, ShardProgress],
    watched_at: str = "",
) -> beam.PCollection[str]:
    """Rereads a dataset, and the archives where they are at hand.

    Args:
        root: The pipeline to do it in.
        inputs: What to read, and what to hold it against.
        directory: Takes a document of what each split came to.
        files: How far each file is at the beginning, by path.
        watched_at: Address that workers report their progress to; empty for none.

    Returns:
        Where these documents lie.
    """
    found = (
        root
        | "Files" >> beam.Create(inputs.files)
        | "CheckFiles" >> CheckFiles(inputs.images, files, watched_at)
    )
    if inputs.archives is not None:
        output = inputs.archives.output
        archived = _plan_dataset(
            root, inputs.archives, save_index=True
        ) | "HashMembers" >> HashMembers(
            output.places.config, output.images, watched_at
        )
        found = (found, archived) | "WithArchives" >> beam.Flatten()
    return found | "ConcludeSplits" >> ConcludeSplits(
        inputs.holdings, inputs.demands, directory
    )


def _plan_dataset(
    root: beam.Pipeline, inputs: BuildInputs, *, save_index: bool
) -> beam.PCollection[ShardSpec]:
    return (
        root
        | "Archives" >> beam.Create(inputs.archives)
        | "IndexArchives" >> IndexArchives(save_index)
        | "SelectMembers" >> SelectMembers(inputs.selections)
        | "PlanShards" >> PlanShards(inputs.archives, inputs.options)
    )
