"""Builds one shard from its spec: the unit of work, of publication and of retry.

The members are read by range in the order of the records, with the next few announced
to the storage, so that at most a handful of images are in memory, and each is read
once for all formats. A file appears under its name whole or not at all; behind the
files of a format appears a report, as the proof that they are there.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Final, Self

import apache_beam as beam
import numpy as np
import pyarrow.compute as pc
from apache_beam.metrics import Metrics

from transforms import storage
from transforms.errors import ImageError
from transforms.examples import Example, Schema, example_sizes
from transforms.facts import FileFacts
from transforms.formats import FORMATS, ExampleWriter
from transforms.images import needed_repair, repair_image
from transforms.output import ShardOutput, published_file
from transforms.plan import ShardSpec
from transforms.sharding import shard_ends

_AHEAD: Final = 16  # members announced to the storage before they are read
_VERSION: Final = 2  # raise it when the same spec would give other bytes


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What became of a shard in one format.

    Attributes:
        format: The format.
        split: The split it belongs to.
        index: Its position in the split.
        count: Number of shards of the split.
        example_bytes: Sum of its serialised Examples' lengths.
        files: Its files in order.
        repaired: Number of repaired images of each kind.
        fingerprint: Hash of all that its bytes depend on.
    """

    format: str
    split: str
    index: int
    count: int
    example_bytes: int
    files: tuple[FileFacts, ...]
    repaired: dict[str, int]
    fingerprint: str


def build_shard(spec: ShardSpec, output: ShardOutput) -> list[ShardReport]:
    """Writes a shard in every format in which it was not written before.

    Args:
        spec: What to write.
        output: Where and how.

    Returns:
        A report for each format, in their order.

    Raises:
        ImageError: An image that has to be repaired can't be decoded.
        StorageError: A member can't be read, or the shard can't be written.
    """
    reports = {name: _finished_report(spec, output, name) for name in output.formats}
    missing = [name for name, report in reports.items() if report is None]
    if missing:
        reports |= _write_shard(spec, output, missing)
    return [report for report in reports.values() if report is not None]


def shard_fingerprint(spec: ShardSpec, output: ShardOutput, format_name: str) -> str:
    """Returns a hash of everything that decides a shard's bytes in a format."""
    facts = [
        _VERSION,
        asdict(output.schema),
        [name for name, _ in _files(spec, output, format_name)],
        [asdict(archive) for archive in spec.archives],
    ]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for column in spec.members.columns:
        digest.update(json.dumps(column.to_pylist()).encode())
    return digest.hexdigest()


@dataclass(slots=True)
class _ShardFiles:
    """Writes a shard's records to the files it has in a format, one by one."""

    directory: str
    format_name: str
    schema: Schema
    files: list[tuple[str, int]]  # name and number of records
    _following: Iterator[tuple[str, int]] = field(init=False)
    _open: ExitStack = field(init=False, default_factory=ExitStack)
    _writer: ExampleWriter = field(init=False)
    _left: int = field(init=False)

    def __enter__(self) -> Self:
        self._following = iter(self.files)
        self._open_next()
        return self

    def write(self, example: Example) -> None:
        """Appends a record."""
        if not self._left:
            self._open.close()  # publishes what is full
            self._open_next()
        self._writer.write(example)
        self._left -= 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def _open_next(self) -> None:
        name, self._left = next(self._following)
        self._writer = self._open.enter_context(
            FORMATS[self.format_name].publish(
                storage.join(self.directory, name), self.schema
            )
        )

    def facts(self) -> tuple[FileFacts, ...]:
        """Returns what was published."""
        return tuple(
            published_file(self.directory, name, examples)
            for name, examples in self.files
        )


def _write_shard(
    spec: ShardSpec, output: ShardOutput, formats: list[str]
) -> dict[str, ShardReport]:
    for name in formats:
        storage.make_directory(output.reports(name))
        if output.overwrite:  # from here on what is being replaced is not complete
            storage.remove(output.mark(name))
    repaired: Counter[str] = Counter()
    sizes = []
    shards = [
        _ShardFiles(
            output.directory(name), name, output.schema, _files(spec, output, name)
        )
        for name in formats
    ]
    with ExitStack() as stack:
        for shard in shards:
            stack.enter_context(shard)
        for example, repair in _read_examples(spec):
            for shard in shards:
                shard.write(example)
            sizes.append(len(example.image))
            if repair:
                repaired[repair] += 1
    example_bytes = _example_bytes(spec, sizes)
    reports = {}
    for shard in shards:
        name = shard.format_name
        reports[name] = ShardReport(
            name,
            spec.split,
            spec.index,
            spec.count,
            example_bytes,
            shard.facts(),
            dict(sorted(repaired.items())),
            shard_fingerprint(spec, output, name),
        )
        storage.publish_bytes(
            _report_path(spec, output, name),
            json.dumps(asdict(reports[name]), indent=2).encode(),
        )
    return reports


def _files(
    spec: ShardSpec, output: ShardOutput, format_name: str
) -> list[tuple[str, int]]:
    """Returns names and numbers of records of the files a shard has in a format."""
    files = spec.files.get(format_name, 1)
    ends = shard_ends(spec.members.num_rows, files)
    return [
        (
            FORMATS[format_name].file_name(
                output.dataset,
                spec.split,
                spec.index * files + position,
                spec.count * files,
            ),
            end - start,
        )
        for position, (start, end) in enumerate(zip([0, *ends], ends, strict=False))
    ]


def _example_bytes(spec: ShardSpec, image_sizes: list[int]) -> int:
    names = pc.binary_length(spec.members["name"]).to_numpy().astype(np.int64)
    labels = spec.members["label"].to_numpy()
    return int(example_sizes(names, np.array(image_sizes, np.int64), labels).sum())


def _read_examples(spec: ShardSpec) -> Iterator[tuple[Example, str | None]]:
    """Yields the shard's records in order, each with what it was repaired for."""
    columns = spec.members.to_pydict()
    archives, names = columns["archive"], columns["name"]
    offsets, sizes, labels = columns["offset"], columns["size"], columns["label"]
    readers = [storage.open_reader(archive) for archive in spec.archives]
    try:
        for row in range(min(_AHEAD, len(names))):
            readers[archives[row]].prefetch(offsets[row], sizes[row])
        for row, name in enumerate(names):
            later = row + _AHEAD
            if later < len(names):
                readers[archives[later]].prefetch(offsets[later], sizes[later])
            data = readers[archives[row]].read(offsets[row], sizes[row])
            repair = needed_repair(data)
            if repair:
                try:
                    data = repair_image(data, repair)
                except ImageError as error:
                    raise ImageError(
                        f"{name}, at byte {offsets[row]:,} of "
                        f"{spec.archives[archives[row]].uri}: {error}. It is a "
                        f"{repair.upper()} file and would have been converted; replace "
                        "it in the archive."
                    ) from error
            yield Example(name, data, labels[row]), repair
    finally:
        for reader in readers:
            reader.close()


def _finished_report(
    spec: ShardSpec, output: ShardOutput, format_name: str
) -> ShardReport | None:
    """Returns the report of an earlier run if it proves the files are there, whole."""
    path = _report_path(spec, output, format_name)
    if not storage.exists(path):
        return None
    try:
        fields = json.loads(storage.read_bytes(path))
        files = tuple(FileFacts(**file) for file in fields.pop("files"))
        report = ShardReport(**fields, files=files)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if report.fingerprint != shard_fingerprint(spec, output, format_name):
        return None
    for file in report.files:
        uri = storage.join(output.directory(format_name), file.name)
        if not storage.exists(uri) or storage.file_info(uri).size != file.size:
            return None
    return report


def _report_path(spec: ShardSpec, output: ShardOutput, format_name: str) -> str:
    name = f"{spec.split}-{spec.index:05d}-of-{spec.count:05d}.json"
    return storage.join(output.reports(format_name), name)


@dataclass
class BuildShards(beam.PTransform):  # type: ignore[misc]
    """Builds every shard in every format, spread over the workers.

    Attributes:
        output: Where shards go and what they are.
    """

    output: ShardOutput

    def expand(
        self, specs: beam.PCollection[ShardSpec]
    ) -> beam.PCollection[ShardReport]:
        """Spreads specs, which are small, and builds each where it lands."""
        return (
            specs
            | "SpreadShards" >> beam.Reshuffle()
            | "Build" >> beam.FlatMap(self._build)
        )

    def _build(self, spec: ShardSpec) -> list[ShardReport]:
        start = time.monotonic()
        reports = build_shard(spec, self.output)
        elapsed = time.monotonic() - start
        Metrics.counter(spec.split, "worker_ms").inc(round(elapsed * 1000))
        for kind, number in reports[0].repaired.items():
            Metrics.counter(spec.split, f"repaired_{kind}").inc(number)
        return reports
