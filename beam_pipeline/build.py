"""A build from the flags of Beam's to the summary."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult
from rich.console import Console

from beam_pipeline.config import BuildConfig
from beam_pipeline.console import (
    FAILED,
    counted_progress,
    print_summary,
    refuse_unknown,
    shown_progress,
    silenced_workers,
)
from beam_pipeline.dry_run import print_estimate
from beam_pipeline.engines import spare_memory, supervised
from beam_pipeline.engines.runners import (
    counters,
    is_dataflow,
    is_local,
    make_options,
    make_pipeline,
)
from beam_pipeline.flags import make_parser
from beam_pipeline.inputs import (
    BuildInputs,
    describe_archives,
    name_places,
    noted_build,
    published_shards,
    sweep_leftovers,
    sweep_own,
    verify_archives,
)
from beam_pipeline.pipeline import build_dataset
from transforms import storage
from transforms.images import require_resizer
from transforms.storage import exclusive, release_all, stop_writing


def build(
    config: BuildConfig,
    find: Callable[[], BuildInputs | None],
    flags: list[str],
    arguments: argparse.Namespace,
    console: Console,
) -> None:
    """Builds a dataset, or says what its build would come to.

    Args:
        config: What is asked for.
        find: Returns what is read and written; None where nothing is left to do.
        flags: Beam's flags.
        arguments: Our own flags.
        console: For what is said meanwhile.

    Raises:
        BuildError: A flag is wrong, an input, or the build failed.
    """
    start = time.monotonic()
    options = make_options(flags)
    refuse = partial(refuse_unknown, flags, make_parser())
    if is_local(options):
        refuse()
        spare_memory()
        for split in config.splits:
            require_resizer(config.image_policy(split))
    if is_dataflow(options):
        from beam_pipeline.engines.dataflow import prepare_job  # Google's libraries

        prepare_job(options, name_places(config))
    inputs = find()
    if inputs is None:
        return
    if not arguments.quiet:
        for line in describe_archives(inputs.archives):
            console.print(line)
    if arguments.verify_archives:
        with supervised(_nothing_written, lambda _: _nothing_written(), FAILED):
            files = [archive.file for archive in inputs.archives]
            verify_archives(files, config.known_archives)
    if arguments.dry_run:
        _estimate(config, inputs, options)
        return
    pipeline = make_pipeline(options, refuse)
    result = _run_alone(pipeline, inputs, arguments, console)
    if result and not arguments.quiet:
        seconds = time.monotonic() - start
        print_summary(config, inputs.output, counters(result), seconds)


def _estimate(
    config: BuildConfig, inputs: BuildInputs, options: PipelineOptions
) -> None:
    # A plan is small wherever the build is going to run.
    local = options if is_local(options) else make_options([])
    with supervised(_nothing_written, lambda _: _nothing_written(), FAILED):
        print_estimate(config, inputs, local)


def _run_alone(
    pipeline: beam.Pipeline,
    inputs: BuildInputs,
    arguments: argparse.Namespace,
    console: Console,
) -> PipelineResult | None:
    """Runs the pipeline where no other build writes, after what those left is swept."""
    output = inputs.output
    with ExitStack() as stack:
        for directory in dict.fromkeys(map(output.places.directory, output.formats)):
            storage.make_directory(directory)
            stack.enter_context(exclusive(directory))
        sweep_leftovers(output, inputs.index_dir)
        for remark in stack.enter_context(noted_build(inputs)):
            if not arguments.quiet:
                console.print(remark)
        return _run_pipeline(pipeline, inputs, arguments, console)


def _run_pipeline(
    pipeline: beam.Pipeline,
    inputs: BuildInputs,
    arguments: argparse.Namespace,
    console: Console,
) -> PipelineResult | None:
    """Runs the pipeline to its end, and shows how far it is.

    Returns:
        The result, or None where a job is not waited for.
    """
    with ExitStack() as stack:
        if not arguments.verbose:
            stack.enter_context(silenced_workers())
        watched_at = ""
        if is_local(pipeline.options):
            display = stack.enter_context(ExitStack())
            stack.enter_context(_supervised(pipeline, inputs, console, display))
            if not arguments.quiet:
                watched_at = display.enter_context(shown_progress(console))
        elif not arguments.quiet:
            count = partial(published_shards, inputs.output)
            stack.enter_context(counted_progress(console, count))
        build_dataset(pipeline, inputs, watched_at)
        result = pipeline.run()
        if is_dataflow(pipeline.options):
            from beam_pipeline.engines.dataflow import wait_for_job

            return result if wait_for_job(result, pipeline.options) else None
        result.wait_until_finish()
    return result


def _nothing_written() -> None:
    print("Interrupted. Nothing was written.", file=sys.stderr)


def _supervised(
    pipeline: beam.Pipeline, inputs: BuildInputs, console: Console, display: ExitStack
) -> AbstractContextManager[None]:
    def tidy_up() -> None:
        stop_writing()  # or a thread would begin a file after the sweep
        display.close()
        sweep_own(inputs.output)
        release_all()
        shutil.rmtree(pipeline.local_tempdir, ignore_errors=True)

    def interrupted() -> None:
        tidy_up()
        console.print(
            f"Interrupted. Published are, whole: {published_shards(inputs.output)}. "
            "The same command goes on from there."
        )

    def worker_died(reason: str) -> None:
        tidy_up()
        console.print(
            f"error: A worker process died ({reason}). Where memory is short, the "
            "system kills; --direct_num_workers sets their number. Published are, "
            f"whole: {published_shards(inputs.output)}. The same command goes on from "
            "there."
        )

    return supervised(interrupted, worker_died, FAILED)
