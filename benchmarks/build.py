"""Times a 1pct build against TFDS's and against ``cp``: ``make bench``.

Everything runs on the same archives in turn, several times over, with the page cache
warm; the median of the rounds counts. ``cp`` copies as many bytes as the dataset has
and, unlike a build, does not wait for the disk. TFDS takes long and runs once.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Measurement, drop_caches, measure

_ROOT: Final = Path(__file__).parent.parent
_DATASET: Final = Path("imagenet2012_subset/1pct/5.0.0")
_SCALES: Final = {  # train members, validation members; see make_ilsvrc.py
    "small": ("1pct", "2000"),
    "tenth": ("10pct", "50000"),
    "full": ("full", "50000"),
}


def main() -> int:
    """Runs the benchmark as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", choices=_SCALES, default="tenth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=_ROOT / "bench", metavar="DIR")
    parser.add_argument(
        "--cold",
        action="store_true",
        help="empty the page cache before each run (root)",
    )
    parser.add_argument("--no_tfds", action="store_true", help="leave TFDS out")
    arguments = parser.parse_args()

    shared = Path(os.environ.get("SHARED_DIR", _ROOT.parent / "shared"))
    tool = shared / "tools" / "make_ilsvrc.py"
    if not tool.is_file():
        print(
            f"error: needs the photos and make_ilsvrc.py in {shared}", file=sys.stderr
        )
        return 2
    archives = arguments.work / f"archives-{arguments.scale}"
    if not (archives / "ILSVRC2012_img_val.tar").is_file():
        train, validation = _SCALES[arguments.scale]
        make = [sys.executable, tool, archives, "--train", train, "--val", validation]
        subprocess.run(make, check=True)

    results = _run(archives, arguments)
    _print(results, arguments)
    return 0


def _run(archives: Path, arguments: argparse.Namespace) -> dict[str, list[Measurement]]:
    ours, theirs = arguments.work / "ours", arguments.work / "tfds"
    copy, log = arguments.work / "copy", arguments.work / "log.txt"
    build: list[str | Path] = [sys.executable, "-m", "beam_pipeline.run"]
    build += ["--config", "1pct", "--manual_dir", archives, "--data_dir", ours]
    tfds = _ROOT / ".venv-parity" / "bin" / "python"
    script = _ROOT / "tests" / "parity" / "build_with_tfds.py"

    def fresh(*paths: Path) -> None:
        for path in paths:
            shutil.rmtree(path, ignore_errors=True)
        if arguments.cold:
            if not drop_caches():
                raise SystemExit("error: --cold needs root")
        else:
            subprocess.run(["sync"], check=True)

    def no_index() -> Measurement:
        fresh(ours)
        return measure(build, log)

    def saved_index() -> Measurement:
        fresh(ours / "imagenet2012_subset")
        return measure(build, log)

    def cp() -> Measurement:
        fresh(copy)
        measurement = measure(["cp", "-r", ours / _DATASET, copy], log)
        shutil.rmtree(copy)  # its pages would push the archives' out of the cache
        return measurement

    def by_tfds() -> Measurement:
        fresh(theirs)
        command: list[str | Path] = [tfds, script, "--config", "1pct"]
        command += ["--manual_dir", archives, "--data_dir", theirs]
        return measure(command, log)

    cases: dict[str, Callable[[], Measurement]] = {
        "no index": no_index,
        "saved index": saved_index,
        "cp": cp,
    }
    results: dict[str, list[Measurement]] = {name: [] for name in cases}
    if not arguments.cold:
        no_index()  # reads what will be read into the page cache
    for _ in range(arguments.rounds):
        for name, run in cases.items():
            results[name].append(run())
    if not arguments.no_tfds:
        results["TFDS"] = [by_tfds()]
    for path in (ours, theirs, copy):
        shutil.rmtree(path, ignore_errors=True)
    return results


def _print(
    results: dict[str, list[Measurement]], arguments: argparse.Namespace
) -> None:
    cache = "cold" if arguments.cold else "warm"
    title = f"1pct from --scale {arguments.scale}, page cache {cache}"
    table = Table(title=f"{title}, median of {arguments.rounds}")
    table.add_column("run")
    for column in ("seconds", "slowest", "x cp", "faster than TFDS", "peak MB"):
        table.add_column(column, justify="right")
    medians = {
        name: statistics.median(run.seconds for run in runs)
        for name, runs in results.items()
    }
    for name, runs in results.items():
        against = f"{medians['TFDS'] / medians[name]:.1f}" if "TFDS" in medians else ""
        table.add_row(
            name,
            f"{medians[name]:.1f}",
            f"{max(run.seconds for run in runs):.1f}",
            f"{medians[name] / medians['cp']:.2f}",
            against,
            f"{max(run.peak_bytes for run in runs) / 1e6:,.0f}",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main())
