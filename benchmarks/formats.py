"""Times one format, two and all of them, and Parquet against ``datasets``.

Each run builds 1pct from the same archives with a saved index, in turn, with the page
cache warm; the median of the rounds counts. ``datasets`` does the same job with
``parquet_with_datasets.py``; it takes long and runs once.
"""

import shutil
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.measure import (
    ROOT,
    Measurement,
    find_archives,
    make_parser,
    measure,
    take_turns,
    tidy,
)

_CASES: Final = (
    "tfrecord",
    "array_record",
    "parquet",
    "webdataset",
    "tfrecord,array_record",
    "tfrecord,parquet",
    "tfrecord,array_record,parquet,webdataset",
)


def main() -> int:
    """Runs the benchmark as the command line says; returns the exit code."""
    arguments = make_parser(__doc__).parse_args()
    archives = find_archives(arguments)
    ours, theirs = arguments.work / "ours", arguments.work / "datasets"
    log = arguments.work / "log.txt"

    def build(formats: str) -> Measurement:
        tidy(arguments, *(path for path in ours.glob("*") if path.name != "downloads"))
        command: list[str | Path] = [sys.executable, "-m", "beam_pipeline.run"]
        command += ["--config", "1pct", "--manual_dir", archives, "--data_dir", ours]
        return measure([*command, "--format", formats], log)

    build("tfrecord")  # saves the index, and reads what will be read into the cache
    results = take_turns(
        {formats: partial(build, formats) for formats in _CASES}, arguments.rounds
    )
    tidy(arguments, ours, theirs)
    loaders = ROOT / ".venv-loaders" / "bin" / "python"
    script = ROOT / "benchmarks" / "parquet_with_datasets.py"
    results["datasets"] = [measure([loaders, script, archives, theirs], log)]
    shutil.rmtree(theirs)
    _print(results, f"1pct from --scale {arguments.scale}")
    return 0


def _print(results: dict[str, list[Measurement]], title: str) -> None:
    table = Table(title=title)
    table.add_column("formats")
    for column in ("seconds", "slowest", "x tfrecord", "x datasets", "peak MB"):
        table.add_column(column, justify="right")
    medians = {
        name: statistics.median(run.seconds for run in runs)
        for name, runs in results.items()
    }
    for name, runs in results.items():
        table.add_row(
            name,
            f"{medians[name]:.1f}",
            f"{max(run.seconds for run in runs):.1f}",
            f"{medians[name] / medians['tfrecord']:.2f}",
            f"{medians['datasets'] / medians[name]:.1f}",
            f"{max(run.peak_bytes for run in runs) / 1e6:,.0f}",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main())
