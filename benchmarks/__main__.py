"""Times builds against all that they are compared with: ``make bench``.

One table of one run: builds, formats, images; each case once a round, so that a slow
minute hits them all; the median of the rounds counts. Every case reads the same
archives. Unless ``--cold`` empties it, the page cache is as warm as memory allows: a
build before the first round reads all that will be read. ``cp`` copies as many bytes as
the dataset has and, unlike a build, does not wait for the disk. TFDS, ``datasets`` and
img2dataset take long and run once. A second table says where the time of an image goes.

``--quick`` takes two minutes: small archives, our own builds alone.
"""

import shutil
import sys
from collections.abc import Iterator
from typing import Final

from benchmarks.builds import (
    FEW,
    FEW_IMAGES,
    SAVED,
    Builder,
    build_cases,
    datasets_case,
    format_cases,
    others,
    process_cases,
)
from benchmarks.images import image_cases, img2dataset_case
from benchmarks.machine import describe_machine
from benchmarks.measure import Measurement, find_archives, make_parser
from benchmarks.steps import print_steps
from benchmarks.table import Case, Results, median_cpu, print_table, run_cases

_GROUPS: Final = ("builds", "formats", "processes", "images")
_QUICK_FORMATS: Final = ("tfrecord,parquet",)


def main() -> int:
    """Runs the benchmark as the command line says; returns the exit code."""
    parser = make_parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes")
    parser.add_argument(
        "--only",
        choices=_GROUPS,
        nargs="+",
        default=_GROUPS,
        help="some groups; that of builds is always there",
    )
    parser.add_argument(
        "--ours_alone", action="store_true", help="leave out TFDS and its like"
    )
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.scale, arguments.rounds, arguments.ours_alone = "small", 1, True
    print(describe_machine())
    builder = Builder(find_archives(arguments), arguments)
    if not arguments.cold:
        builder.build(keep_index=False)
    cases = list(_cases(builder))
    cache = "emptied before each run" if arguments.cold else "warm"
    title = f"1pct from --scale {arguments.scale}, page cache {cache}; median (spread)"
    results: dict[str, list[Measurement]] = {}
    try:
        run_cases(cases, arguments.rounds, results)
    finally:  # one case may fail after an hour of others
        print_table(title, cases, results)
    print_steps(builder.archives, arguments)
    print(describe_machine())
    print(_closing_line(results, builder.images))
    shutil.rmtree(builder.ours)
    return 0


def _cases(builder: Builder) -> Iterator[Case]:
    """Yields the cases in the order of the table."""
    arguments = builder.arguments
    yield from build_cases(builder)
    if not arguments.ours_alone:
        yield from others(builder)
    if "formats" in arguments.only:
        yield from format_cases(builder, *([_QUICK_FORMATS] * arguments.quick))
        if not arguments.ours_alone:
            yield datasets_case(builder)
    if "processes" in arguments.only:
        yield from process_cases(builder)
    if "images" in arguments.only:
        yield from image_cases(builder)
        if not arguments.ours_alone:
            yield img2dataset_case(builder)


def _closing_line(results: Results, images: int) -> str:
    """Returns what an image costs, and what a build does, in processor time."""
    fixed, whole = (median_cpu(results[name]) for name in (FEW, SAVED))
    image = (whole - fixed) / (images - FEW_IMAGES)
    return (
        f"An image takes {1e6 * image:.0f} µs of processor time, and a build besides "
        f"{fixed - FEW_IMAGES * image:.1f} s."
    )


if __name__ == "__main__":
    sys.exit(main())
