"""Builds a dataset: ``python -m beam_pipeline.run --config 1pct --manual_dir DIR``."""

import argparse
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from beam_pipeline.config import (
    BuildConfig,
    load_config,
    parse_assignment,
    shipped_configs,
)
from beam_pipeline.inputs import find_inputs, find_output
from beam_pipeline.pipeline import build_dataset
from beam_pipeline.runners import (
    counters,
    is_local,
    make_beam_parser,
    make_options,
    make_pipeline,
    silenced_workers,
    worker_error,
)
from transforms import storage
from transforms.errors import BuildError, ConfigError
from transforms.fields import nearest
from transforms.formats import FORMATS, loader_line
from transforms.output import ShardOutput, is_complete

_USAGE_ERROR: Final = 2
_BUILD_ERROR: Final = 1
_INTERRUPTED: Final = 130

_TABLE_WIDTH: Final = 100  # columns, where the terminal is narrower or there is none

Counters = Mapping[tuple[str, str], int]


def main(argv: Sequence[str]) -> int:
    """Builds a dataset as the command line says.

    Args:
        argv: Arguments without the program's name.

    Returns:
        The exit code: 0 when the dataset is there, 1 when the build failed, 2 when
        the command line or a config is wrong, 130 when interrupted.
    """
    arguments, beam_arguments = make_parser().parse_known_args(argv)
    _set_up_logging(arguments.verbose)
    try:
        config = _configure(arguments)
        _build(config, beam_arguments, arguments.verbose)
    except ConfigError as error:
        return _fail(error, _USAGE_ERROR)
    except BuildError as error:
        return _fail(error, _BUILD_ERROR)
    except KeyboardInterrupt:
        return _fail("Interrupted. The same command goes on from here.", _INTERRUPTED)
    except Exception as error:
        if arguments.verbose:
            raise
        known = worker_error(error)
        if isinstance(known, ConfigError):
            return _fail(known, _USAGE_ERROR)
        last = (str(error).strip() or type(error).__name__).splitlines()[-1]
        return _fail(known or f"{last} (--verbose shows more)", _BUILD_ERROR)
    return 0


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
        action="store_true",
        default=None,
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
        "--overwrite",
        action="store_true",
        default=None,
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
    how.add_argument("--verbose", action="store_true", help="show all of Beam's log")
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
        flags["num_shards"] = dict(map(_parse_shards, arguments.num_shards))
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


def _build(config: BuildConfig, beam_arguments: list[str], verbose: bool) -> None:
    start = time.monotonic()
    options = make_options(beam_arguments)
    if is_local(options):
        _refuse_unknown(beam_arguments)
    output = find_output(config)
    if not config.overwrite:
        output = _without_complete(config, output)
        if not output.formats:
            return
    inputs = find_inputs(config, output)
    for name in output.formats:
        storage.make_directory(output.directory(name))
    pipeline = make_pipeline(options)
    build_dataset(pipeline, inputs)
    with nullcontext() if verbose else silenced_workers():
        result = pipeline.run()
        result.wait_until_finish()
    _print_summary(config, output, counters(result), time.monotonic() - start)


def _without_complete(config: BuildConfig, output: ShardOutput) -> ShardOutput:
    """Leaves out the formats in which the dataset is there, and says so."""
    complete = [name for name in output.formats if is_complete(output, name)]
    for name in complete:
        print(
            f"{output.directory(name)} is complete as {name} and left as it is; "
            "--overwrite builds it anew."
        )
        print(_loader_line(config, output, name))
    formats = tuple(name for name in output.formats if name not in complete)
    return replace(output, formats=formats)


def _refuse_unknown(arguments: list[str]) -> None:
    """Refuses what neither we nor Beam know: it is likely a typo of a flag."""
    beam_parser = make_beam_parser()
    _, unknown = beam_parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].partition("=")[0].lstrip("-")
        actions = [*make_parser()._actions, *beam_parser._actions]
        known = [
            flag.lstrip("-") for action in actions for flag in action.option_strings
        ]
        raise ConfigError(f"Unknown flag --{name}. {nearest(name, known)}")


def _print_summary(
    config: BuildConfig, output: ShardOutput, counts: Counters, seconds: float
) -> None:
    table = Table(title=f"{config.name}/{config.config} {config.version}")
    table.add_column("split")
    for column in ("examples", "bytes", "worker s"):
        table.add_column(column, justify="right")
    table.add_column("format")
    for column in ("files", "bytes"):
        table.add_column(column, justify="right")
    splits = [
        split
        for split in config.versions[config.version]
        if (split, "examples") in counts
    ]
    for split in splits:
        counted = [
            split,
            f"{counts[split, 'examples']:,}",
            f"{counts[split, 'example_bytes']:,}",
            f"{counts.get((split, 'worker_ms'), 0) / 1000:.1f}",
        ]
        for name in output.formats:
            files = counts[split, f"{name}_files"], counts[split, f"{name}_bytes"]
            table.add_row(*counted, name, *(f"{number:,}" for number in files))
            counted = [""] * len(counted)
    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(table)
    for split in splits:
        for remark in _remarks(config, split, counts[split, "examples"], counts):
            print(remark)
    print(f"Built in {seconds:.1f} s.")
    for name in output.formats:
        print(f"{name}: {output.directory(name)}")
        print(_loader_line(config, output, name))


def _remarks(
    config: BuildConfig, split: str, examples: int, counts: Counters
) -> list[str]:
    """Returns what is worth saying of a split: odd counts, repairs, members skipped."""
    wanted = config.splits[split]
    members = counts.get((split, "members"), 0)
    remarks = []
    if wanted.members not in (None, members):
        remarks.append(
            f"{split}: {members:,} images indexed; the published archive has "
            f"{wanted.members:,}."
        )
    if wanted.examples not in (None, examples):
        remarks.append(
            f"{split}: {examples:,} examples; the published dataset has "
            f"{wanted.examples:,}."
        )
    for counter, text in (
        ("missing", "listed images are not in the archive"),
        ("repaired_cmyk", "CMYK images made RGB"),
        ("repaired_png", "PNG images made JPEG"),
        ("rejected", "bad images left out; report.html shows them"),
        ("skipped_links", "links skipped"),
        ("skipped_leftovers", "leftovers of editors and systems skipped"),
    ):
        number = counts.get((split, counter), 0)
        if number:
            remarks.append(f"{split}: {number:,} {text}.")
    return remarks


def _loader_line(config: BuildConfig, output: ShardOutput, format_name: str) -> str:
    line = loader_line(
        format_name,
        root=output.root(format_name),
        name=config.name,
        config=config.config,
        version=config.version,
        split=config.versions[config.version][0],
    )
    return f"Load it: {line}"


def _set_up_logging(verbose: bool) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        format="%(asctime)s %(name)s %(message)s" if verbose else "%(message)s",
        level=logging.INFO if verbose else logging.WARNING,
        force=True,
    )
    for name in ("beam_pipeline", "transforms"):
        logging.getLogger(name).setLevel(logging.INFO)
    # A worker's failure is told once, by _fail, not as every layer's traceback.
    logging.getLogger("apache_beam").setLevel(
        logging.NOTSET if verbose else logging.CRITICAL
    )


def _fail(error: object, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
