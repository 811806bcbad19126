"""Where the processor time of an image goes, step by step, on one thread.

``python -m benchmarks.steps`` prints it alone. Each line does what the lines above it
do and one thing more, on the same images in the same order, so that caches are as they
are in a build; a step's time is the difference. The least of the rounds counts: what
other work on the machine adds differs from round to round.
"""

import argparse
import json
import mmap
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from beam_pipeline.engines.memory import spare_memory
from benchmarks.machine import NO_SHA, describe_machine, has_sha
from benchmarks.measure import find_archives, make_parser
from transforms import storage
from transforms.archives import Archive, open_members
from transforms.archives.containers import ContainerBatch
from transforms.archives.forms import find_containers, walk_containers
from transforms.formats import Places, Schema
from transforms.formats.tfrecord import TFRecordWriter
from transforms.images import ImagePolicy, treat_image
from transforms.planning import ShardSpec
from transforms.planning.spec import SHARD_SCHEMA
from transforms.shards import ShardOutput
from transforms.shards.build import build_shard
from transforms.shards.members import Accepted, treated_members
from transforms.statistics import StatisticsBuilder, content_hash
from transforms.storage.backend import Buffer
from transforms.storage.hashes import CHECKSUM, Checksum, new_hash

_IMAGES: Final = 800  # about what a shard of 1pct has
_GATHERED: Final = 4 << 20  # bytes, as in storage.publication
_POLICY: Final = ImagePolicy()


class _Gathering:
    """Copies what is written into memory, and hashes it if asked to."""

    def __init__(self, checksum: Checksum | None = None) -> None:
        self._memory = mmap.mmap(-1, _GATHERED)
        self._filled = 0
        self._hash = new_hash(checksum) if checksum else None

    def write(self, data: Buffer, /) -> int:
        if self._hash:
            self._hash.update(data)
        if self._filled + len(data) > _GATHERED:
            self._filled = 0
        self._memory[self._filled : self._filled + len(data)] = data
        self._filled += len(data)
        return len(data)


class _Dropping:
    """Takes what is written, and does nothing with it."""

    def write(self, data: Buffer, /) -> int:
        return len(data)


def main() -> int:
    """Prints the table; returns the exit code."""
    parser = make_parser(__doc__)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(scale="small", rounds=9)
    arguments = parser.parse_args()
    if arguments.alone:
        spare_memory()  # as a build does
        print(json.dumps(_measure(find_archives(arguments), arguments)))
        return 0
    print(describe_machine())
    print_steps(find_archives(arguments), arguments)
    return 0


def print_steps(archives: Path, arguments: argparse.Namespace) -> None:
    """Prints microseconds an image by step, with the SHA instructions and without."""
    columns = {"µs": _in_a_process(archives, arguments, {})}
    if has_sha():
        columns["µs, sha_ni hidden"] = _in_a_process(archives, arguments, NO_SHA)
    table = Table(title="Processor time of an image of a pass-through build, by step")
    table.add_column("step")
    for heading in columns:
        table.add_column(heading, justify="right")
    for step in next(iter(columns.values())):
        table.add_row(step, *(f"{column[step]:.1f}" for column in columns.values()))
    Console(width=120).print(table)


def _in_a_process(
    archives: Path, arguments: argparse.Namespace, environment: dict[str, str]
) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.steps", "--alone"]
    command += ["--scale", arguments.scale, "--work", str(arguments.work)]
    command += ["--rounds", str(max(arguments.rounds, 5))]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measure(archives: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """Returns microseconds an image, by step."""
    spec = _spec(archives / "ILSVRC2012_img_val.tar")
    directory = arguments.work / "steps"
    output = ShardOutput(
        places=Places(str(directory), "steps", "one", "1.0.0"),
        formats=("tfrecord",),
        schema=Schema(tuple(f"n{i:08d}" for i in range(1000))),
        images={"train": _POLICY},
    )
    steps = _steps(spec, output)
    least = dict.fromkeys(steps, float("inf"))
    for _ in range(arguments.rounds):
        for name, run in steps.items():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            start = time.process_time()
            run()
            least[name] = min(least[name], time.process_time() - start)
    shutil.rmtree(directory)
    totals = {name: 1e6 * seconds / _IMAGES for name, seconds in least.items()}
    found, before = {}, 0.0
    for name, total in totals.items():
        if name == "SHA-256 in its place":
            found[name] = total - totals["copy to where it is written from"]
            continue
        found[name], before = total - before, total
    return found | {"all": totals["write, sync and report"]}


def _steps(spec: ShardSpec, output: ShardOutput) -> dict[str, Callable[[], object]]:
    """Returns what is measured, each line with one thing more."""
    places = [image.place for image in spec.images()]

    def read(look: Callable[[bytes], object] = len) -> None:
        with open_members(spec.archives) as members:
            for data in members.read_all(places):
                look(data)

    def treat(data: bytes) -> None:
        treat_image(data, _POLICY)

    def treat_and_hash(data: bytes) -> None:
        treat_image(data, _POLICY)
        content_hash(data)

    def write(file: storage.Sink, counted: StatisticsBuilder | None = None) -> None:
        writer = TFRecordWriter(file, output.schema)
        for member in treated_members(spec, _POLICY, with_pixels=False):
            assert isinstance(member, Accepted)
            writer.write(member.example)
            if counted:
                counted.add(member.observation)

    def count() -> None:
        counted = StatisticsBuilder()
        write(_Gathering(CHECKSUM), counted)
        counted.result()

    return {
        "read from the page cache": read,
        "look at it, and read its header": lambda: read(treat),
        "XXH3 of it, for duplicates": lambda: read(treat_and_hash),
        "name, place, observation": lambda: [
            None for _ in treated_members(spec, _POLICY, with_pixels=False)
        ],
        "tf.train.Example, CRC-32C": lambda: write(_Dropping()),
        "copy to where it is written from": lambda: write(_Gathering()),
        "SHA-256 in its place": lambda: write(_Gathering("sha256")),
        "BLAKE3 of the file": lambda: write(_Gathering(CHECKSUM)),
        "statistics": count,
        "write, sync and report": lambda: build_shard(spec, output),
    }


def _spec(path: Path) -> ShardSpec:
    """Returns a shard of images of a tar, drawn by lot."""
    archive = Archive("train", storage.file_info(str(path)), "tar")
    rows = [
        row
        for table in walk_containers(
            ContainerBatch(archive, 0, find_containers(archive))
        )
        for row in table.members.to_pylist()
    ]
    members = [
        {"archive": 0, "label": number, "labels": []} | row
        for number, row in enumerate(random.Random(0).sample(rows, _IMAGES))
    ]
    table = pa.Table.from_pylist(
        [{name: member[name] for name in SHARD_SCHEMA.names} for member in members],
        SHARD_SCHEMA,
    )
    return ShardSpec("train", 0, 1, (archive,), table)


if __name__ == "__main__":
    sys.exit(main())
