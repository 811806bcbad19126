"""Times a 1pct build against TFDS's and against ``cp``: ``make bench``.

Everything runs on the same archives in turn, several times over, with the page cache
warm; the median of the rounds counts. ``cp`` copies as many bytes as the dataset has
and, unlike a build, does not wait for the disk. TFDS takes long and runs once.
"""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.measure import (
    ROOT,
    Measurement,
    find_archives,
    make_parser,
    measure,
    print_table,
    stated_numbers,
    take_turns,
    tidy,
)

_DATASET: Final = Path("imagenet2012_subset/1pct/5.0.0")


def main() -> int:
    """Runs the benchmark as the command line says; returns the exit code."""
    parser = make_parser(__doc__)
    parser.add_argument("--no_tfds", action="store_true", help="leave TFDS out")
    arguments = parser.parse_args()
    archives = find_archives(arguments)
    results = _run(archives, arguments)
    cache = "cold" if arguments.cold else "warm"
    title = f"1pct from --scale {arguments.scale}, page cache {cache}"
    print_table(title, results, of="cp", faster_than="TFDS")
    return 0


def _run(archives: Path, arguments: argparse.Namespace) -> dict[str, list[Measurement]]:
    ours, theirs = arguments.work / "ours", arguments.work / "tfds"
    copy, log = arguments.work / "copy", arguments.work / "log.txt"
    build: list[str | Path] = [sys.executable, "-m", "beam_pipeline.run"]
    build += ["--config", "1pct", "--manual_dir", archives, "--data_dir", ours]
    build += stated_numbers(arguments.scale)
    tfds = ROOT / ".venv-parity" / "bin" / "python"
    script = ROOT / "tests" / "parity" / "build_with_tfds.py"

    def no_index() -> Measurement:
        tidy(arguments, ours)
        return measure(build, log)

    def saved_index() -> Measurement:
        tidy(arguments, ours / "imagenet2012_subset")
        return measure(build, log)

    def cp() -> Measurement:
        tidy(arguments, copy)
        measurement = measure(["cp", "-r", ours / _DATASET, copy], log)
        shutil.rmtree(copy)  # its pages would push the archives' out of the cache
        return measurement

    def by_tfds() -> Measurement:
        tidy(arguments, theirs)
        command: list[str | Path] = [tfds, script, "--config", "1pct"]
        command += ["--manual_dir", archives, "--data_dir", theirs]
        return measure(command, log)

    cases: dict[str, Callable[[], Measurement]] = {
        "no index": no_index,
        "saved index": saved_index,
        "cp": cp,
    }
    if not arguments.cold:
        no_index()  # reads what will be read into the page cache
    results = take_turns(cases, arguments.rounds)
    if not arguments.no_tfds:
        results["TFDS"] = [by_tfds()]
    for path in (ours, theirs, copy):
        shutil.rmtree(path, ignore_errors=True)
    return results


if __name__ == "__main__":
    sys.exit(main())
