"""Times one format, two and all of them, and Parquet against ``datasets``.

Each run builds 1pct from the same archives with a saved index, in turn, with the page
cache warm; the median of the rounds counts. ``datasets`` does the same job with
``parquet_with_datasets.py``; it takes long and runs once.
"""

import shutil
import sys
from functools import partial
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
        command += stated_numbers(arguments.scale)
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
    title = f"1pct from --scale {arguments.scale}"
    print_table(title, results, of="tfrecord", faster_than="datasets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
