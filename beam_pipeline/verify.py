"""Verifies a dataset: ``python -m beam_pipeline.verify DIR``."""

import argparse
import sys
import time
from collections.abc import Sequence
from functools import cache, partial
from typing import get_args

from rich.console import Console

from beam_pipeline.config import shipped_configs
from beam_pipeline.console import FAILED, refuse_unknown, run_command
from beam_pipeline.engines import load_beam
from transforms.verification import FindingsBuilder, ImageCheck


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
        # A misspelled flag is reported before NumPy and Arrow are loaded.
        from beam_pipeline.configure import verify_options

        start = time.monotonic()
        wanted = verify_options(arguments)
        from beam_pipeline.inputs import find_demands

        find = cache(partial(find_demands, wanted))
        # Beam takes seconds to load, so it comes last where it has no flag to check.
        if not beam_arguments:
            find()
        load_beam(beam_arguments)
        from beam_pipeline.console import print_verdict
        from beam_pipeline.reread import reread

        refuse = partial(refuse_unknown, beam_arguments, parser)
        conclusions = reread(
            find, beam_arguments, refuse, console, verbose=arguments.verbose
        )
        inputs = find()
        findings = FindingsBuilder()
        findings.include([inputs.findings, *(each.findings for each in conclusions)])
        found = findings.result()
        print_verdict(
            wanted.directory,
            [total for each in conclusions for total in each.totals],
            found,
            inputs.remarks,
            seconds=None if arguments.json else time.monotonic() - start,
            mendable=any(holding.hashed for holding in inputs.holdings),
        )
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
        help="as it was built with, where its manifest does not say",
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
