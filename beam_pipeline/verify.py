"""Verifies a dataset: ``python -m beam_pipeline.verify DIR``."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache, partial
from typing import Final, get_args

from rich.console import Console
from rich.table import Table

from beam_pipeline.config import parse_assignment, shipped_configs
from beam_pipeline.console import FAILED, print_table, refuse_unknown, run_command
from beam_pipeline.inputs import VerifyOptions, find_demands
from transforms.errors import ConfigError
from transforms.storage import absolute
from transforms.verification import (
    Findings,
    FindingsBuilder,
    ImageCheck,
    Problem,
    Total,
)

# Flags that say where what is known of the archives lies.
_OF_ARCHIVES: Final = ("data_dir", "index_dir")
# Flags that say what a build was given that noted none of it.
_OF_BUILD: Final = ("max_examples_per_split", "allow_missing")

_MENDED_BY: Final = (
    "To mend it, run the command that built it again: with --repair it builds again "
    "what is not as manifest.json says, with --overwrite everything."
)


def main(argv: Sequence[str]) -> int:
    """Verifies a dataset as the command line says.

    Args:
        argv: Arguments without the program's name.

    Returns:
        The exit code: 0 when the dataset is whole, 1 when there are problems, 2 when
        the command line or a config is wrong, 130 when interrupted.
    """
    parser = make_parser()
    arguments, beam_arguments = parser.parse_known_args(argv)

    def work(console: Console) -> int:
        start = time.monotonic()
        wanted = _read_arguments(arguments)
        find = cache(partial(find_demands, wanted))
        # Beam takes seconds to load, so it comes last where it has no flag to check.
        if not beam_arguments:
            find()
        from beam_pipeline.reread import reread

        refuse = partial(refuse_unknown, beam_arguments, parser)
        conclusions = reread(
            find, beam_arguments, refuse, console, verbose=arguments.verbose
        )
        inputs = find()
        findings = FindingsBuilder()
        findings.include([inputs.findings, *(each.findings for each in conclusions)])
        found = findings.result()
        totals = [total for each in conclusions for total in each.totals]
        if arguments.json:
            print(_as_json(wanted.directory, totals, found, inputs.remarks))
        else:
            _print(wanted.directory, totals, found, inputs.remarks)
            print(f"Verified in {time.monotonic() - start:.1f} s.")
            if found.total and any(holding.hashed for holding in inputs.holdings):
                print(_MENDED_BY)
            print(_last_line(wanted.directory, found))
        return FAILED if found.total else 0

    return run_command(work, verbose=arguments.verbose)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of our own flags; what it does not know is Beam's."""
    parser = argparse.ArgumentParser(
        prog="python -m beam_pipeline.verify",
        description="Rereads a dataset, and names everything that is wrong with it.",
        epilog="Any other flag is one of Apache Beam's, such as --runner or "
        "--direct_num_workers. Exit codes: 0 the dataset is whole, 1 there are "
        "problems, 2 the command line or the config is wrong.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "directory",
        metavar="DIR",
        help="the directory of a version, as .../imagenet2012_subset/1pct/5.0.0, a "
        "configuration in a folder for the hub, or such a folder",
    )
    parser.add_argument(
        "--images",
        choices=get_args(ImageCheck),
        default="header",
        help="look at headers alone, decode every image, or neither (default: header)",
    )
    parser.add_argument(
        "--config",
        metavar="NAME|PATH.yaml",
        help=f"what it was built with: {', '.join(shipped_configs())}, or a file of "
        "your own (default: the one of the dataset's name)",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="any key of the config, as it was built with",
    )
    parser.add_argument(
        "--max_examples_per_split",
        type=int,
        metavar="N",
        help="as it was built with, where its manifest does not tell",
    )
    parser.add_argument(
        "--allow_missing",
        action="store_true",
        default=None,
        help="it may lack images that the list names or the configuration states",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document instead"
    )
    parser.add_argument("--verbose", action="store_true", help="show all of Beam's log")
    archives = parser.add_argument_group("to compare every image with the archives")
    archives.add_argument("--manual_dir", metavar="DIR", help="the archives")
    archives.add_argument(
        "--data_dir",
        metavar="DIR",
        help="where a downloaded list and saved indexes are (default: where DIR lies)",
    )
    archives.add_argument(
        "--index_dir",
        metavar="DIR",
        help="saved indexes of archives (default: beneath DATA_DIR/downloads)",
    )
    return parser


def _read_arguments(arguments: argparse.Namespace) -> VerifyOptions:
    for name in _OF_ARCHIVES:
        if getattr(arguments, name) is not None and not arguments.manual_dir:
            raise ConfigError(f"--{name} has no effect without --manual_dir.")
    names = (*_OF_ARCHIVES, *_OF_BUILD, "manual_dir")
    flags = {name: getattr(arguments, name) for name in names}
    return VerifyOptions(
        directory=absolute(arguments.directory).rstrip("/"),
        images=arguments.images,
        config=arguments.config,
        overrides=dict(map(parse_assignment, arguments.set)),
        flags=flags,
        with_archives=bool(arguments.manual_dir),
    )


def _print(
    directory: str,
    totals: Sequence[Total],
    findings: Findings,
    remarks: Sequence[str],
) -> None:
    table = Table(title=directory)
    for column in ("config", "format", "split"):
        table.add_column(column)
    for column in ("files", "examples", "bytes", "problems"):
        table.add_column(column, justify="right")
    for total in totals:
        numbers = total.files, total.examples, total.bytes, total.problems
        cells = (f"{number:,}" for number in numbers)
        table.add_row(total.config, total.format, total.split, *cells)
    others = findings.total - sum(total.problems for total in totals)
    table.add_row("", "other files", *[""] * 4, f"{others:,}")
    print_table(table)
    for problem in findings.listed:
        print(_in_words(problem))
    for file, number in findings.omitted.items():
        print(f"{file}: {number:,} more problems.")
    for remark in remarks:
        print(remark)


def _in_words(problem: Problem) -> str:
    where = "" if problem.record is None else f", record {problem.record:,}"
    return f"{problem.file}{where} ({problem.check}): {problem.message}"


def _last_line(directory: str, findings: Findings) -> str:
    if not findings.total:
        return f"{directory} is whole."
    return f"{directory} has {findings.total:,} problem{'s'[: findings.total > 1]}."


def _as_json(
    directory: str,
    totals: Sequence[Total],
    findings: Findings,
    remarks: Sequence[str],
) -> str:
    document = {
        "directory": directory,
        "whole": not findings.total,
        "totals": [asdict(total) for total in totals],
        "problems": [asdict(problem) for problem in findings.listed],
        "omitted": dict(findings.omitted),
        "remarks": list(remarks),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
