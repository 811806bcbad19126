"""Builds a dataset: ``python -m beam_pipeline.run --config 1pct --manual_dir DIR``."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any, Final

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult
from rich.console import Console

from beam_pipeline.checksums import verify_archives
from beam_pipeline.command import FAILED, refuse_unknown, run_command
from beam_pipeline.config import (
    BuildConfig,
    load_config,
    parse_assignment,
    shipped_configs,
)
from beam_pipeline.dataflow import is_dataflow, prepare_job, wait_for_job
from beam_pipeline.dry_run import print_estimate
from beam_pipeline.engines import ENGINES
from beam_pipeline.finished import without_finished
from beam_pipeline.inputs import BuildInputs, find_inputs, find_output, name_places
from beam_pipeline.memory import spare_memory
from beam_pipeline.pipeline import build_dataset
from beam_pipeline.progress import counted_progress, shown_progress
from beam_pipeline.resume import (
    noted_build,
    published_shards,
    sweep_leftovers,
    sweep_own,
)
from beam_pipeline.runners import counters, is_local, make_options, make_pipeline
from beam_pipeline.summary import print_summary
from beam_pipeline.supervision import supervised
from beam_pipeline.terminal import silenced_workers
from transforms import storage
from transforms.claims import exclusive
from transforms.direct import stop_writing
from transforms.errors import ConfigError
from transforms.formats import FORMATS
from transforms.leases import release_all


def _parse_switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text} is neither true nor false")
    return text == "true"


# A Flex template's launcher gives every parameter a value: --overwrite=true.
_SWITCH: Final[dict[str, Any]] = {
    "nargs": "?",
    "const": True,
    "type": _parse_switch,
    "metavar": "true|false",
}


def main(argv: Sequence[str]) -> int:
    """Builds a dataset as the command line says.

    Args:
        argv: Arguments without the program's name.

    Returns:
        The exit code: 0 when the dataset is there, 1 when the build failed, 2 when
        the command line or a config is wrong, 130 when interrupted.
    """
    arguments, beam_arguments = make_parser().parse_known_args(argv)

    def work(console: Console) -> int:
        config = _configure(arguments)
        _build(config, beam_arguments, arguments, console)
        return 0

    return run_command(work, verbose=arguments.verbose, quiet=arguments.quiet)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of our own flags; what it does not know is Beam's."""
    parser = argparse.ArgumentParser(
        prog="python -m beam_pipeline.run",
        description="Builds imagenet2012_subset from the ILSVRC2012 archives.",
        epilog="Any other flag is one of Apache Beam's, such as --runner, "
        "--direct_num_workers or --direct_running_mode. Exit codes: 0 the dataset is "
        "there, 1 the build failed, 2 the command line or the config is wrong.",
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what to build")
    what.add_argument(
        "--config",
        required=True,
        metavar="NAME|PATH.yaml",
        help=f"{', '.join(shipped_configs())}, or a file of your own",
    )
    what.add_argument(
        "--version",
        metavar="X.Y.Z",
        help="5.0.0 as TFDS has it; 5.1.0 adds the test split",
    )
    what.add_argument(
        "--max_examples_per_split",
        type=int,
        metavar="N",
        help="keep the first N of each split, in archive order",
    )
    what.add_argument(
        "--allow_missing",
        **_SWITCH,
        help="go on where an archive lacks images that the subset list names",
    )
    what.add_argument(
        "--max_rejects",
        type=float,
        metavar="N|SHARE",
        help="bad images that may be left out, 10 or 0.001 (default: none)",
    )
    what.add_argument(
        "--verify_images",
        choices=("header", "decode"),
        help="look at headers alone, or decode every image (default: header)",
    )
    what.add_argument(
        "--statistics",
        choices=("cheap", "full"),
        help="full decodes every image for its mean and deviation (default: cheap)",
    )
    where = parser.add_argument_group("where")
    where.add_argument(
        "--manual_dir",
        metavar="DIR",
        help="the archives, and the subset list if it is there "
        "(default: DATA_DIR/downloads/manual)",
    )
    where.add_argument(
        "--data_dir",
        metavar="DIR",
        help="the datasets (default: $TFDS_DATA_DIR or ~/tensorflow_datasets)",
    )
    where.add_argument(
        "--index_dir",
        metavar="DIR",
        help="saved indexes of archives (default: beneath DATA_DIR/downloads)",
    )
    where.add_argument(
        "--verify_archives",
        action="store_true",
        help="read the archives whole first, and compare them with the published ones",
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--format",
        metavar="NAME[,NAME]",
        help=f"{', '.join(FORMATS)} (default: tfrecord)",
    )
    how.add_argument(
        "--num_shards",
        nargs="+",
        metavar="SPLIT=N",
        help="instead of the number that the sizes give",
    )
    how.add_argument(
        "--engine",
        choices=tuple(ENGINES),
        help="what it runs on; docs/running.md says what each needs (default: local)",
    )
    how.add_argument(
        "--overwrite",
        **_SWITCH,
        help="replace the dataset if it is there",
    )
    how.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="any key of the config, such as splits.train.subset.file=mine.txt",
    )
    how.add_argument(
        "--dry_run",
        action="store_true",
        help="plan, print what would be done, and write nothing",
    )
    how.add_argument(
        "--quiet", action="store_true", help="say nothing but warnings and errors"
    )
    how.add_argument(
        "--verbose", **_SWITCH, default=False, help="show all of Beam's log"
    )
    return parser


def _configure(arguments: argparse.Namespace) -> BuildConfig:
    flags: dict[str, Any] = {
        name: getattr(arguments, name)
        for name in (
            "version",
            "manual_dir",
            "data_dir",
            "index_dir",
            "max_examples_per_split",
            "overwrite",
            "allow_missing",
            "max_rejects",
            "statistics",
        )
    }
    if arguments.format:
        flags["formats"] = arguments.format.split(",")
    if arguments.num_shards:
        numbers = " ".join(arguments.num_shards).split()
        flags["num_shards"] = dict(map(_parse_shards, numbers))
    overrides = dict(map(parse_assignment, arguments.set))
    if arguments.verify_images:
        overrides["images.check"] = arguments.verify_images
    return load_config(arguments.config, overrides, flags)


def _parse_shards(text: str) -> tuple[str, int]:
    split, _, number = text.partition("=")
    if not number.isdecimal():
        raise ConfigError(
            f"--num_shards {text}: expected a split and a number, train=16."
        )
    return split, int(number)


def _build(
    config: BuildConfig,
    beam_arguments: list[str],
    arguments: argparse.Namespace,
    console: Console,
) -> None:
    start = time.monotonic()
    options = make_options(beam_arguments, arguments.engine)
    refuse = partial(refuse_unknown, beam_arguments, make_parser())
    if is_local(options):
        refuse()
        spare_memory()
    if is_dataflow(options):
        prepare_job(options, name_places(config))
    output = find_output(config)
    if not config.overwrite:
        output = without_finished(config, output)
        if not output.formats:
            return
    inputs = find_inputs(config, output)
    if arguments.verify_archives:
        with supervised(_nothing_written, lambda _: _nothing_written(), FAILED):
            files = [archive.file for archive in inputs.archives]
            verify_archives(files, config.known_archives)
    if arguments.dry_run:
        # A plan is small wherever the build is going to run.
        local = options if is_local(options) else make_options([])
        with supervised(_nothing_written, lambda _: _nothing_written(), FAILED):
            print_estimate(config, inputs, local)
        return
    pipeline = make_pipeline(options, refuse)
    with ExitStack() as stack:
        for directory in dict.fromkeys(map(output.directory, output.formats)):
            storage.make_directory(directory)
            stack.enter_context(exclusive(directory))
        sweep_leftovers(output, inputs.index_dir)
        for remark in stack.enter_context(noted_build(inputs)):
            if not arguments.quiet:
                console.print(remark)
        result = _run_pipeline(pipeline, inputs, arguments, console)
    if result and not arguments.quiet:
        print_summary(config, output, counters(result), time.monotonic() - start)


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
            stack.enter_context(_supervised(inputs, console, display))
            if not arguments.quiet:
                watched_at = display.enter_context(shown_progress(console))
        elif not arguments.quiet:
            count = partial(published_shards, inputs.output)
            stack.enter_context(counted_progress(console, count))
        build_dataset(pipeline, inputs, watched_at)
        result = pipeline.run()
        if is_dataflow(pipeline.options):
            return result if wait_for_job(result, pipeline.options) else None
        result.wait_until_finish()
    return result


def _nothing_written() -> None:
    print("Interrupted. Nothing was written.", file=sys.stderr)


def _supervised(
    inputs: BuildInputs, console: Console, display: ExitStack
) -> AbstractContextManager[None]:
    def tidy_up() -> None:
        stop_writing()  # or a thread would begin a file behind the sweep
        display.close()
        sweep_own(inputs.output)
        release_all()

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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
