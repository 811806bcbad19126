"""Times planning alone, from a million images to a hundred million.

    python -m benchmarks.plan --cases archives archives-saved-index 4M 100M-steps

``archives`` and ``archives-saved-index`` list and plan the members of the archives of
``--scale full``. Others plan made-up members: ``N`` with the engine of local builds,
which holds every shuffle in memory, ``N-steps`` the functions that it would call, one
partition at a time. Each case is a process of its own.
"""

import argparse
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics
from rich.console import Console
from rich.table import Table

from beam_pipeline.config.loading import load_config
from beam_pipeline.engines.memory import spare_memory
from beam_pipeline.engines.runners import counters, make_options, make_pipeline
from beam_pipeline.inputs.build import find_inputs, find_output
from benchmarks.measure import find_archives, make_parser, measure, tidy
from transforms.archives.containers import (
    MEMBER_SCHEMA,
    Archive,
    Container,
    MemberBatch,
    MemberTable,
)
from transforms.archives.steps import IndexArchives
from transforms.planning.completeness import StatedNumbers
from transforms.planning.cuts import (
    ShardPiece,
    SplitOptions,
    cut_run,
    join_pieces,
    lay_out_split,
)
from transforms.planning.labels import Unlabelled
from transforms.planning.partitions import (
    ARRIVAL_SCHEMA,
    ROW_SCHEMA,
    cut_into_runs,
    partition_count,
    sort_partition,
    split_by_key,
)
from transforms.planning.selection import Selection, select_members
from transforms.planning.spec import ShardSpec
from transforms.planning.steps import PlanShards, SelectMembers
from transforms.storage.backend import FileInfo

_IMAGES: Final = {"4M": 4_000_000, "14M": 14_200_000, "100M": 100_000_000}
_PER_CONTAINER: Final = 1000
_BATCH: Final = 256  # containers
_IMAGE_BYTES: Final = 110_000  # on average


def main() -> int:
    """Runs the benchmark as the command line says; returns the exit code."""
    parser = make_parser(__doc__)
    cases = ["archives", "archives-saved-index"]
    cases += [name + way for name in _IMAGES for way in ("", "-steps")]
    usual = ["archives", "archives-saved-index", "4M", "14M-steps"]
    parser.add_argument("--cases", nargs="+", choices=cases, default=usual)
    parser.add_argument("--partitions", type=int, help="of made-up members")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(scale="full", rounds=1)
    arguments = parser.parse_args()
    if arguments.alone:
        (case,) = arguments.cases
        print(json.dumps(_run(case, arguments)))
        return 0
    table = Table(title="Planning")
    table.add_column("case")
    for column in ("images", "shards", "partitions", "s", "CPU s", "peak MB"):
        table.add_column(column, justify="right")
    table.add_column("CPU s by step")
    for case in arguments.cases:
        table.add_row(case, *_measure(case, arguments))
    Console(width=120).print(table)
    return 0


def _measure(case: str, arguments: argparse.Namespace) -> list[str]:
    """Returns the row of a case that ran as a process of its own."""
    if case.startswith("archives"):
        find_archives(arguments)
    if case == "archives":
        tidy(arguments, arguments.work / "index")
    log = arguments.work / "log.txt"
    log.parent.mkdir(exist_ok=True)
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.plan", "--alone"]
    command += ["--scale", arguments.scale, "--work", arguments.work, "--cases", case]
    if arguments.partitions:
        command += ["--partitions", str(arguments.partitions)]
    measured = measure(command, log)
    found = json.loads(log.read_text().splitlines()[-1])
    steps = found.pop("steps", {})
    return [
        *(f"{found[name]:,}" for name in ("images", "shards", "partitions")),
        f"{measured.seconds:.1f}",
        f"{found['cpu']:.1f}",
        f"{measured.peak_bytes / 1e6:,.0f}",
        ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps.items()),
    ]


def _run(case: str, arguments: argparse.Namespace) -> dict[str, object]:
    spare_memory()  # as a local build does
    name, _, way = case.partition("-")
    if name == "archives":
        found = _plan_archives(arguments)
    elif way:
        found = _plan_by_steps(_IMAGES[name], arguments.partitions)
    else:
        found = _plan_with_engine(_IMAGES[name], arguments.partitions)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return found | {"cpu": usage.ru_utime + usage.ru_stime}


def _plan_archives(arguments: argparse.Namespace) -> dict[str, object]:
    """Plans all images of real archives, without a subset list."""
    places = {"manual_dir": str(find_archives(arguments))}
    places |= {"index_dir": str(arguments.work / "index"), "data_dir": "/nowhere"}
    config = load_config("1pct", {}, places)
    inputs = find_inputs(config, find_output(config))
    selections = {
        split: replace(selection, subset=None)
        for split, selection in inputs.selections.items()
    }
    options = {
        split: replace(options, subset=None, stated=StatedNumbers())
        for split, options in inputs.options.items()
    }
    pipeline = make_pipeline(make_options([]))
    _ = (
        pipeline
        | "Archives" >> beam.Create(inputs.archives)
        | "IndexArchives" >> IndexArchives()
        | "SelectMembers" >> SelectMembers(selections)
        | "PlanShards" >> PlanShards(inputs.archives, options)
        | "Count" >> beam.Map(_count)
    )
    by_split = [
        [archive for archive in inputs.archives if archive.split == split]
        for split in options
    ]
    return _finish(pipeline, sum(partition_count(each, None) for each in by_split))


def _plan_with_engine(images: int, partitions: int | None) -> dict[str, object]:
    archive = _archive(images)
    partitions = partitions or partition_count([archive], None)
    pipeline = make_pipeline(make_options([]))
    _ = (
        pipeline
        | "Batches" >> beam.Create(range(0, images // _PER_CONTAINER, _BATCH))
        | "MakeUp" >> beam.Map(_members, archive)
        | "SelectMembers" >> SelectMembers({"train": Selection(Unlabelled())})
        | "PlanShards" >> PlanShards([archive], {"train": SplitOptions()}, partitions)
        | "Count" >> beam.Map(_count)
    )
    return _finish(pipeline, partitions)


def _plan_by_steps(images: int, partitions: int | None) -> dict[str, object]:
    """Plans without an engine; nothing is held but a partition and the summaries.

    Each partition's rows are made up when they are needed. How long it takes to make
    keys, and to cut rows by them, is measured on eight batches.
    """
    archive = _archive(images)
    partitions = partitions or partition_count([archive], None)
    batches = range(0, images // _PER_CONTAINER, _BATCH)
    sampled = batches[:: max(1, len(batches) // 8)]
    clock = _Clock()
    for first in sampled:
        members = _members(first, archive)
        with clock.counts("select", len(batches) / len(sampled)):
            table = select_members(members, None, Selection(Unlabelled()))
        with clock.counts("split", len(batches) / len(sampled)):
            split_by_key([table], [archive], partitions)
    summaries = []
    for number in range(partitions):
        rows = _partition(number, partitions, images)
        with clock.counts("sort"):
            _, summary = sort_partition(number, [rows], [archive], None, None)
        summaries.append(summary)
    with clock.counts("lay out"):
        layout = lay_out_split(
            "train",
            [archive],
            partitions,
            [_arrivals(images)],
            summaries,
            SplitOptions(),
        )
    pieces: dict[int, list[ShardPiece]] = {}
    shards = 0
    for number in range(partitions):
        rows = _partition(number, partitions, images)
        kept, _ = sort_partition(number, [rows], [archive], None, None)
        with clock.counts("cut"):
            for run in cut_into_runs(number, kept):
                for index, piece in cut_run(run, layout):
                    pieces.setdefault(index, []).append(piece)
        with clock.counts("join"):
            whole = [*pieces] if number == partitions - 1 else [*pieces][:-1]
            for index in whole:
                join_pieces(index, pieces.pop(index), layout)
        shards += len(whole)
    return {
        "images": layout.examples,
        "shards": shards,
        "partitions": partitions,
        "steps": clock.seconds,
    }


class _Clock:
    """Adds up processor time by step."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def counts(self, step: str, times: float = 1) -> Iterator[None]:
        """Counts what a block takes, as if it ran so many times."""
        start = time.process_time()
        yield
        self.seconds[step] += times * (time.process_time() - start)  # type: ignore[assignment]


def _finish(pipeline: beam.Pipeline, partitions: int) -> dict[str, object]:
    result = pipeline.run()
    result.wait_until_finish()
    found = {name: number for (_, name), number in counters(result).items()}
    return {
        "images": found["planned"],
        "shards": found["shards"],
        "partitions": partitions,
    }


def _count(spec: ShardSpec) -> None:
    Metrics.counter("plan", "planned").inc(spec.members.num_rows)
    Metrics.counter("plan", "shards").inc()


def _archive(images: int) -> Archive:
    return Archive(
        "train", FileInfo("/made_up.tar", images * _IMAGE_BYTES, "1"), "nested"
    )


def _members(first: int, archive: Archive) -> MemberBatch:
    return MemberBatch.of(archive, _member_tables(first, archive))


def _member_tables(first: int, archive: Archive) -> Iterator[MemberTable]:
    """Yields a batch of containers with names as ILSVRC2012 has them."""
    total = archive.file.size // _IMAGE_BYTES // _PER_CONTAINER
    for position in range(first, min(first + _BATCH, total)):
        rng = np.random.default_rng(position)
        numbers = rng.permutation(30 * _PER_CONTAINER)[:_PER_CONTAINER]
        sizes = rng.normal(_IMAGE_BYTES, 40_000, _PER_CONTAINER).clip(2000)
        offset = position * _PER_CONTAINER * _IMAGE_BYTES
        members = pa.table(
            [
                _names(np.full(_PER_CONTAINER, position), numbers),
                *(_empty(_PER_CONTAINER), _empty(_PER_CONTAINER)),
                offset + np.arange(_PER_CONTAINER) * _IMAGE_BYTES,
                sizes.astype(np.int64),
                _empty(_PER_CONTAINER),
            ],
            schema=MEMBER_SCHEMA,
        )
        container = Container(f"n{position:08d}", offset, 1 << 27, position, total)
        yield MemberTable(archive, container, members)


def _empty(count: int) -> pa.Array:
    return pa.repeat("", count)


def _partition(number: int, partitions: int, images: int) -> pa.Table:
    """Returns rows as they arrive in a partition, their keys in its range."""
    count = images * (number + 1) // partitions - images * number // partitions
    rng = np.random.default_rng(number)
    keys = rng.integers(0, 1 << 63, (count, 2), dtype=np.uint64)
    width = ((1 << 64) - 1) // partitions
    keys[:, 0] = np.uint64(number * width) + keys[:, 0] % np.uint64(width)
    buffer = pa.py_buffer(keys.astype(">u8").tobytes())
    return pa.table(
        [
            np.zeros(count, np.int32),
            _names(rng.integers(0, 21_841, count), rng.integers(0, 30_000, count)),
            _empty(count),
            rng.integers(0, images * _IMAGE_BYTES, count),
            rng.integers(2000, 2 * _IMAGE_BYTES, count),
            _empty(count),
            rng.integers(0, 21_841, count),
            pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), count, [None, buffer]),
        ],
        schema=ROW_SCHEMA,
    )


def _arrivals(images: int) -> pa.Table:
    count = images // _PER_CONTAINER
    positions = np.arange(count, dtype=np.int32)
    return pa.table(
        [
            np.zeros(count, np.int32),
            positions,
            np.full(count, count, np.int32),
            np.full(count, _PER_CONTAINER),
            pc.cast(positions, pa.string()),
            np.full(count, _PER_CONTAINER),
        ],
        schema=ARRIVAL_SCHEMA,
    )


def _names(
    containers: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]
) -> pa.Array:
    wnids = pc.utf8_lpad(pc.cast(pa.array(containers), pa.string()), 8, "0")
    ends = pc.cast(pa.array(numbers), pa.string())
    stems = pc.binary_join_element_wise("n", wnids, "")
    return pc.binary_join_element_wise(stems, "_", ends, ".JPEG", "")


if __name__ == "__main__":
    sys.exit(main())
