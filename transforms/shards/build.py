"""Builds one shard from its spec: the unit of work, of publication and of retry.

Each image is read and treated once for all formats. A file appears under its name whole
or not at all. A report appears after the files of a format, as the proof that they are
there. An image that is rejected is reported too: whether the dataset can do without it
is decided when all shards are there.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from types import TracebackType
from typing import Self

from transforms import storage
from transforms.formats import FORMATS, Example, FileFacts, OpenFile, Schema
from transforms.planning import ShardSpec, shard_ends
from transforms.shards.members import Accepted, treated_members
from transforms.shards.output import ShardOutput
from transforms.shards.progress import ShardMeter, meter_of
from transforms.shards.report import VERSION, ShardReport, decode_report, encode_report
from transforms.statistics import StatisticsBuilder

_LOGGER = logging.getLogger(__name__)


def build_shard(
    spec: ShardSpec, output: ShardOutput, watched_at: str = ""
) -> ShardReport:
    """Writes a shard in every format in which it was not written before.

    Args:
        spec: What to write.
        output: Where and how.
        watched_at: Address that its progress is sent to; see ``shards.progress``.

    Raises:
        StorageError: A member can't be read, or the shard can't be written.
    """
    fingerprints = shard_fingerprints(spec, output)
    found = {
        name: _finished_report(spec, output, name, fingerprints[name])
        for name in output.formats
    }
    there = [report for report in found.values() if report is not None]
    missing = [name for name, report in found.items() if report is None]
    meter = meter_of(spec, watched_at)
    if missing:
        formats = {name: fingerprints[name] for name in missing}
        there.append(_write_shard(spec, output, formats, meter))
    meter.publish(resumed=not missing)
    files = dict(chain.from_iterable(report.files.items() for report in there))
    return replace(
        there[-1],
        files={name: files[name] for name in output.formats},
        counts=spec.counts,  # an earlier run may have had other numbers
    )


def shard_fingerprints(spec: ShardSpec, output: ShardOutput) -> dict[str, str]:
    """Returns a hash of everything that decides a shard's bytes, for each format."""
    columns = [json.dumps(c.to_pylist()).encode() for c in spec.members.columns]
    before = [
        VERSION,
        asdict(output.schema),
        asdict(output.images[spec.split]),
        output.pixels,
    ]
    archives = [(asdict(archive.file), archive.form) for archive in spec.archives]
    found = {}
    for format_name in output.formats:
        names = [name for name, _ in _files(spec, output, format_name)]
        digest = hashlib.sha256(json.dumps([*before, names, archives]).encode())
        for column in columns:
            digest.update(column)
        found[format_name] = digest.hexdigest()
    return found


def _write_shard(
    spec: ShardSpec,
    output: ShardOutput,
    formats: Mapping[str, str],
    meter: ShardMeter,
) -> ShardReport:
    """Writes a shard in some formats, which are given with their fingerprints."""
    for name in formats:
        storage.make_directory(output.places.reports(name))
        if output.overwrite:  # from here on the dataset that is replaced is incomplete
            storage.remove(output.places.mark(name))
    shards = [
        _ShardFiles(
            output.places.directory(name),
            name,
            output.schema,
            output.checksum,
            _files(spec, output, name),
        )
        for name in formats
    ]
    counted = StatisticsBuilder(features=output.schema.features)
    rejected = []
    with ExitStack() as stack:
        for shard in shards:
            stack.enter_context(shard)
        members = treated_members(
            spec, output.images[spec.split], with_pixels=output.pixels
        )
        sizes = spec.members["size"].to_pylist()
        for member, size in zip(members, sizes, strict=True):
            example = None
            if isinstance(member, Accepted):
                example = member.example
                counted.add(member.observation)
            else:
                rejected.append(member)
            for shard in shards:
                shard.write(example)
            meter.count(size, rejected=example is None)
    report = ShardReport(
        spec.split,
        spec.index,
        spec.count,
        spec.members.num_rows,
        spec.archives,
        {shard.format_name: shard.published() for shard in shards},
        counted.result(),
        tuple(rejected),
    )
    for name, fingerprint in formats.items():
        _publish_report(
            spec,
            output,
            fingerprint,
            replace(report, files={name: report.files[name]}),
        )
    return report


def _files(
    spec: ShardSpec, output: ShardOutput, format_name: str
) -> list[tuple[str, int]]:
    """Returns names and numbers of records of the files a shard has in a format."""
    files = spec.files.get(format_name, 1)
    ends = shard_ends(spec.members.num_rows, files)
    return [
        (
            FORMATS[format_name].codec.file_name(
                output.places.dataset,
                spec.split,
                spec.index * files + position,
                spec.count * files,
            ),
            end - start,
        )
        for position, (start, end) in enumerate(zip([0, *ends], ends, strict=False))
    ]


@dataclass(slots=True)
class _ShardFiles:
    """Writes a shard's records to the files it has in a format, one by one."""

    directory: str
    format_name: str
    schema: Schema
    checksum: storage.Checksum
    planned: list[tuple[str, int]]  # names, and numbers of members
    _written: list[int] = field(init=False, default_factory=list)
    _files: list[OpenFile] = field(init=False, default_factory=list)
    _open: ExitStack = field(init=False, default_factory=ExitStack)
    _left: int = field(init=False)

    def __enter__(self) -> Self:
        self._open_next()
        return self

    def write(self, example: Example | None) -> None:
        """Appends the next member's record, if it has one."""
        if not self._left:
            self._open.close()  # publishes what is full
            self._open_next()
        self._left -= 1
        if example is not None:
            self._files[-1].writer.write(example)
            self._written[-1] += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def published(self) -> tuple[FileFacts, ...]:
        """Returns the facts of the files, once all are published."""
        return tuple(
            FileFacts(
                name, file.publication.tell(), examples, file.publication.digest()
            )
            for (name, _), file, examples in zip(
                self.planned, self._files, self._written, strict=True
            )
        )

    def _open_next(self) -> None:
        name, self._left = self.planned[len(self._written)]
        self._written.append(0)
        file = FORMATS[self.format_name].codec.publish(
            storage.join(self.directory, name), self.schema, self.checksum
        )
        self._files.append(self._open.enter_context(file))


def _publish_report(
    spec: ShardSpec, output: ShardOutput, fingerprint: str, report: ShardReport
) -> None:
    """Publishes the report of a shard in one format."""
    (format_name,) = report.files
    directory = output.places.directory(format_name)
    published = [
        storage.file_info(storage.join(directory, file.name))
        for file in report.files[format_name]
    ]
    storage.publish_bytes(
        _report_path(spec, output, format_name),
        encode_report(report, fingerprint, published),
    )


def _finished_report(
    spec: ShardSpec, output: ShardOutput, format_name: str, fingerprint: str
) -> ShardReport | None:
    """Returns the report of an earlier run if it proves the files are there, whole."""
    path = _report_path(spec, output, format_name)
    if not storage.exists(path):
        return None
    decoded = decode_report(storage.read_bytes(path), fingerprint)
    if decoded is None:
        return None
    report, published = decoded
    files = []
    for file, then in zip(report.files[format_name], published, strict=True):
        uri = storage.join(output.places.directory(format_name), file.name)
        if not storage.exists(uri):
            _LOGGER.warning("%s has disappeared: it is built again.", uri)
            return None
        # A file that was not touched is not read again; one that was moved here is.
        untouched = storage.file_info(uri) == then
        if not untouched and not storage.has_content(uri, file.size, file.digest):
            _LOGGER.warning("%s is not as it was written: it is built again.", uri)
            return None
        files.append(_hashed_as_asked(uri, file, output))
    return replace(report, files={format_name: tuple(files)})


def _hashed_as_asked(uri: str, file: FileFacts, output: ShardOutput) -> FileFacts:
    """Returns the facts of a file, which is read if another hash was made of it."""
    if storage.checksum_of(file.digest) == output.checksum:
        return file
    return replace(file, digest=storage.file_digest(uri, output.checksum))


def _report_path(spec: ShardSpec, output: ShardOutput, format_name: str) -> str:
    name = f"{spec.split}-{spec.index:05d}-of-{spec.count:05d}.json"
    return storage.join(output.places.reports(format_name), name)
