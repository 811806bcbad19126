"""Builds in processes of their own, and what is compared of them."""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.suites.engines.cluster import ROOT

# All formats, for it is small.
DEMO = ["--config=demo", "--format=tfrecord,array_record,parquet,webdataset"]
# Small shards, so that there are some to lose.
PHOTOS = [
    *("--config=1pct", "--num_shards", "train=24", "validation=8", "--set"),
    *("splits.train.members=12811", "splits.validation.members=1000"),
    "splits.validation.examples=1000",
]
# Images enough for an engine to mix up; the larger build is for what dies on the way.
FEW_PHOTOS = ["--max_examples_per_split=3000", *PHOTOS]

_SECONDS = re.compile(r" *\d+\.\d(?= [│s])")


@dataclass(frozen=True)
class Build:
    """What does not depend on where a build ran.

    Attributes:
        files: The hash of each file, by its name beneath the data directory.
        said: What was printed, without seconds and the data directory.
    """

    files: dict[str, str]
    said: str


def run_build(what: list[str], archives: Path, data_dir: Path, how: list[str]) -> Build:
    """Builds, and removes what was built when it has been looked at."""
    finished = subprocess.run(
        command(what, archives, data_dir, how),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return look_at(data_dir, finished.stdout)


def command(
    what: list[str], archives: Path, data_dir: Path, how: list[str]
) -> list[str]:
    """Returns the command of a build."""
    return [
        *(sys.executable, "-m", "beam_pipeline.run", *what),
        *("--manual_dir", str(archives), "--data_dir", str(data_dir), *how),
    ]


def look_at(data_dir: Path, printed: str) -> Build:
    """Returns what there is to compare, and removes the data directory."""
    files = {
        str(path.relative_to(data_dir)): _sha256(path)
        for path in sorted(data_dir.rglob("*"))
        if path.is_file() and "downloads" not in path.parts
    }
    shutil.rmtree(data_dir)
    return Build(files, _SECONDS.sub(" #", printed.replace(str(data_dir), "DATA")))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
