"""The saved index of an archive, and the step that lists every archive's members.

Walking the 1.28 million headers of the training archive takes minutes on a disk and
a million requests on an object store. The result is 20 MB and holds until the archive
changes, so it is kept: a Parquet file with a row group per container, in archive
order, and the archive's identity in the footer. Its SHA-256 lies beside it. An index
that does not fit the archive as it is now, or its checksum, is written anew.

    column   type     meaning
    name     string   name of the image
    offset   int64    where its bytes begin in the archive
    size     int64    its length in bytes

The footer's key ``archive_index`` holds JSON: ``format`` (of this layout), ``size``
and ``generation`` of the archive, ``layout``, and ``containers``, a list of
``[name, offset, size, position, total, members, directories, links, leftovers]``.
"""

import hashlib
import io
import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Any, BinaryIO, Final

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.metrics import Metrics

from transforms import storage
from transforms.archives import (
    MEMBER_SCHEMA,
    Archive,
    Container,
    ContainerBatch,
    MemberTable,
    Skipped,
    batch_containers,
    find_containers,
    walk_containers,
)
from transforms.errors import StorageError
from transforms.storage import FileInfo

_FORMAT: Final = 1
_KEY: Final = "archive_index"
_LOGGER = logging.getLogger(__name__)

# What Parquet or JSON that was tampered with raises, whatever its checksum.
_DAMAGE: Final = (
    *(pa.ArrowException, OSError, ValueError, LookupError, TypeError, RecursionError),
)


@dataclass(frozen=True, slots=True)
class _SavedContainer:
    container: Container
    members: int
    skipped: Skipped


@dataclass(frozen=True, slots=True)
class _ListedBatch:
    batch: ContainerBatch
    tables: tuple[MemberTable, ...]


@dataclass(frozen=True, slots=True)
class _IndexPart:
    """The index of ``count`` containers from the ``first`` one, as Parquet bytes."""

    archive: Archive
    first: int
    count: int
    data: bytes


def index_path(index_dir: str, archive: Archive) -> str:
    """Returns where an archive's index is kept: its name and a hash of its path."""
    name = archive.file.uri.rsplit("/", 1)[-1]
    digest = hashlib.sha256(archive.file.uri.encode()).hexdigest()[:12]
    return storage.join(index_dir, f"{name}-{digest}.parquet")


def open_index(path: str, archive: Archive) -> tuple[Container, ...] | None:
    """Returns the containers that a saved index lists, if it fits the archive.

    Args:
        path: Where the index would be.
        archive: The archive as it is now.

    Returns:
        The containers in archive order; None where there is no index, or one that is
        stale or damaged, which is said in the log.
    """
    if not storage.exists(path):
        return None
    try:
        data = storage.read_bytes(path)
        if storage.read_bytes(_digest_path(path)) != _digest(data):
            raise ValueError("its checksum is wrong")
        saved = _check_footer(pq.read_metadata(io.BytesIO(data)), archive)
        places = [(entry.container.position, entry.container.total) for entry in saved]
        if places != [(position, len(saved)) for position in range(len(saved))]:
            raise ValueError("it does not list every container")
    except (StorageError, *_DAMAGE) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        _LOGGER.warning("Index %s is not used, but built anew: %s", path, reason)
        return None
    return tuple(entry.container for entry in saved)


def read_index(
    source: str | io.BytesIO, archive: Archive, rows: range
) -> list[MemberTable]:
    """Returns the members of containers from a saved index.

    Args:
        source: The index's path or content.
        archive: The archive it is of.
        rows: Positions of the containers in the index.

    Raises:
        StorageError: The index can't be read, or was replaced since it was checked.
    """
    try:
        if isinstance(source, str):
            metadata, saved = _read_footer(storage.file_info(source), archive)
        else:
            metadata, saved = _parse_footer(source, archive)
        with (
            _opened(source) as stream,
            pq.ParquetFile(stream, metadata=metadata) as file,
        ):
            # Arrow's own threads would gain nothing and keep memory of their own.
            together = file.read_row_groups(list(rows), use_threads=False)
        together.validate(full=True)  # names are text, or nobody could read them
        return list(_cut_into_tables(together, archive, saved[rows.start : rows.stop]))
    except _DAMAGE as error:
        raise StorageError(
            f"Can't read the saved index {source}: {error}. Remove it and rerun."
        ) from error


def _cut_into_tables(
    together: pa.Table, archive: Archive, saved: list[_SavedContainer]
) -> Iterator[MemberTable]:
    """Yields each container's members; ValueError where they lie outside of it."""
    start = 0
    for entry in saved:
        # Copied, not sliced: a pickled slice drags what it was cut from along, and Beam
        # pickles some elements only to learn their size.
        place = np.arange(start, start + entry.members)
        members = together.take(pa.array(place)).cast(MEMBER_SCHEMA)
        offsets, sizes = members["offset"].to_numpy(), members["size"].to_numpy()
        container = entry.container
        end = container.offset + container.size
        if ((offsets < container.offset) | (sizes < 0) | (offsets > end - sizes)).any():
            raise ValueError("it lists members outside of their tar")
        yield MemberTable(archive, container, members, entry.skipped)
        start += entry.members


def _opened(source: str | io.BytesIO) -> AbstractContextManager[BinaryIO]:
    return storage.open_file(source) if isinstance(source, str) else nullcontext(source)


def encode_index(archive: Archive, tables: Iterable[MemberTable]) -> bytes:
    """Returns the index of containers, as the bytes of a Parquet file.

    Args:
        archive: The archive the tables were read from.
        tables: One per container, in archive order; taken one at a time.
    """
    containers = []
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, MEMBER_SCHEMA, compression="zstd") as writer:
        for table in tables:
            rows = table.members.num_rows
            container, skipped = table.container, table.skipped
            containers.append([*astuple(container), rows, *astuple(skipped)])
            writer.write_table(table.members, row_group_size=max(1, rows))
        footer = {
            "format": _FORMAT,
            "size": archive.file.size,
            "generation": archive.file.generation,
            "layout": archive.layout,
            "containers": containers,
        }
        writer.add_key_value_metadata({_KEY: json.dumps(footer)})
    return buffer.getvalue()


def write_index(path: str, archive: Archive, tables: Iterable[MemberTable]) -> None:
    """Saves the members of all of an archive's containers.

    Args:
        path: Where to keep the index; its directory is made.
        archive: The archive the tables were read from.
        tables: One per container, in archive order.

    Raises:
        StorageError: The file can't be written.
    """
    data = encode_index(archive, tables)
    storage.make_directory(path.rpartition("/")[0])
    storage.publish_bytes(path, data)
    storage.publish_bytes(_digest_path(path), _digest(data))


def _digest_path(path: str) -> str:
    return f"{path}.sha256"


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


@lru_cache(maxsize=4)
def _read_footer(
    index: FileInfo, archive: Archive
) -> tuple[pq.FileMetaData, list[_SavedContainer]]:
    """Parses a footer once for all batches: it lists every container's columns."""
    return _parse_footer(index.uri, archive)


def _parse_footer(
    source: str | io.BytesIO, archive: Archive
) -> tuple[pq.FileMetaData, list[_SavedContainer]]:
    with _opened(source) as stream:
        metadata = pq.read_metadata(stream)
    return metadata, _check_footer(metadata, archive)


def _check_footer(metadata: pq.FileMetaData, archive: Archive) -> list[_SavedContainer]:
    """Returns an index's containers; raises ValueError where it does not fit."""
    footer: dict[str, Any] = json.loads((metadata.metadata or {})[_KEY.encode()])
    identity = (footer["size"], footer["generation"], footer["layout"])
    if footer["format"] != _FORMAT:
        raise ValueError("it was written by another version")
    if identity != (archive.file.size, archive.file.generation, archive.layout):
        raise ValueError("the archive has changed since")
    saved = [
        _SavedContainer(Container(*entry[:-4]), entry[-4], Skipped(*entry[-3:]))
        for entry in footer["containers"]
    ]
    for entry in saved:
        start, size = entry.container.offset, entry.container.size
        numbers = (
            *astuple(entry.container)[1:],
            entry.members,
            *astuple(entry.skipped),
        )
        whole = all(type(number) is int and number >= 0 for number in numbers)
        if not whole or start + size > archive.file.size:
            raise ValueError("it lists containers outside of the archive")
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    if groups != [entry.members for entry in saved]:
        raise ValueError("its row groups do not match its list of containers")
    return saved


@dataclass
class IndexArchives(beam.PTransform):  # type: ignore[misc]
    """Lists the members of every archive, from a saved index where there is one.

    Attributes:
        index_dir: Directory of the saved indexes.
        save: Whether what is read of headers is kept there for the next run.
    """

    index_dir: str
    save: bool = True

    def expand(
        self, archives: beam.PCollection[Archive]
    ) -> beam.PCollection[MemberTable]:
        """Fans out over the containers of all archives."""
        listed = (
            archives
            | "FindContainers" >> beam.FlatMap(self._find_containers)
            | "SpreadContainers" >> beam.Reshuffle()
            | "ListMembers" >> beam.Map(self._list_members)
        )
        if self.save:
            _ = (
                listed
                | "EncodeNew" >> beam.FlatMap(self._encode_new)
                | "GroupByArchive" >> beam.GroupByKey()
                | "SaveIndex" >> beam.Map(self._save_index)
            )
        return listed | "EachContainer" >> beam.FlatMap(self._each_container)

    def _find_containers(self, archive: Archive) -> Iterator[ContainerBatch]:
        path = index_path(self.index_dir, archive)
        containers = open_index(path, archive)
        if containers is not None:
            yield from batch_containers(archive, containers, path)
        else:
            yield from batch_containers(archive, find_containers(archive), None)

    def _list_members(self, batch: ContainerBatch) -> _ListedBatch:
        if batch.index is None:
            return _ListedBatch(batch, tuple(walk_containers(batch)))
        rows = range(batch.first, batch.first + len(batch.containers))
        return _ListedBatch(batch, tuple(read_index(batch.index, batch.archive, rows)))

    def _each_container(self, listed: _ListedBatch) -> Iterator[MemberTable]:
        split = listed.batch.archive.split
        for table in listed.tables:
            _count(split, "members", table.members.num_rows)
            _count(split, "skipped_directories", table.skipped.directories)
            _count(split, "skipped_links", table.skipped.links)
            _count(split, "skipped_leftovers", table.skipped.leftovers)
            yield table

    def _encode_new(self, listed: _ListedBatch) -> Iterator[tuple[str, _IndexPart]]:
        """Encodes what was walked: small enough for a runner to gather in memory."""
        batch = listed.batch
        if batch.index is None:
            data = encode_index(batch.archive, listed.tables)
            part = _IndexPart(batch.archive, batch.first, len(batch.containers), data)
            yield batch.archive.file.uri, part

    def _save_index(self, group: tuple[str, Iterable[_IndexPart]]) -> None:
        parts = sorted(group[1], key=lambda part: part.first)
        archive = parts[0].archive
        tables = (
            table
            for part in parts
            for table in read_index(io.BytesIO(part.data), archive, range(part.count))
        )
        try:
            write_index(index_path(self.index_dir, archive), archive, tables)
        except StorageError as error:
            _LOGGER.warning("The index is not kept for the next run: %s", error)


def _count(split: str, name: str, value: int) -> None:
    Metrics.counter(split, name).inc(value)
