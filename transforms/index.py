"""The saved index of an archive, and the step that lists every archive's members.

Walking the 1.28 million headers of the training archive takes minutes on a disk and
a million requests on an object store. The result is 20 MB and holds until the archive
changes, so it is kept: a Parquet file with a row group per container, in archive
order, and the archive's identity in the footer. An index that does not fit the archive
as it is now is not used but written anew.

    column   type     meaning
    name     string   name of the image
    offset   int64    where its bytes begin in the archive
    size     int64    its length in bytes

The footer's key ``archive_index`` holds JSON: ``format`` (of this layout), ``size``
and ``generation`` of the archive, ``layout``, and ``containers``, a list of
``[name, offset, size, members, directories, links, leftovers]``.
"""

import hashlib
import io
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import apache_beam as beam
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

_FORMAT: Final = 1
_KEY: Final = b"archive_index"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _SavedContainer:
    container: Container
    members: int
    skipped: Skipped


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
        saved = _read_footer(path, archive)
        pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        _LOGGER.warning("Index %s is not used, but built anew: %s", path, reason)
        return None
    return tuple(entry.container for entry in saved)


def read_index(batch: ContainerBatch) -> list[MemberTable]:
    """Returns the members of a batch's containers from the index it names.

    Raises:
        StorageError: The index can't be read, or was replaced since it was checked.
    """
    assert batch.index is not None
    rows = range(batch.first, batch.first + len(batch.containers))
    try:
        saved = _read_footer(batch.index, batch.archive)
        with pq.ParquetFile(batch.index) as file:
            tables = [file.read_row_group(row).cast(MEMBER_SCHEMA) for row in rows]
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise StorageError(
            f"Can't read the saved index {batch.index}: {error}. Remove it and rerun."
        ) from error
    return [
        MemberTable(
            batch.archive, saved[row].container, table, saved[row].skipped, True
        )
        for row, table in zip(rows, tables, strict=True)
    ]


def write_index(path: str, archive: Archive, tables: Iterable[MemberTable]) -> None:
    """Saves the members of all of an archive's containers.

    Args:
        path: Where to keep the index; its directory is made.
        archive: The archive the tables were read from.
        tables: One per container, in any order.

    Raises:
        StorageError: The file can't be written.
    """
    ordered = sorted(tables, key=lambda table: table.container.offset)
    footer = {
        "format": _FORMAT,
        "size": archive.file.size,
        "generation": archive.file.generation,
        "layout": archive.layout,
        "containers": [
            [
                table.container.name,
                table.container.offset,
                table.container.size,
                table.members.num_rows,
                table.skipped.directories,
                table.skipped.links,
                table.skipped.leftovers,
            ]
            for table in ordered
        ],
    }
    schema = MEMBER_SCHEMA.with_metadata({_KEY: json.dumps(footer).encode()})
    buffer = io.BytesIO()
    with pq.ParquetWriter(
        buffer, schema, compression="zstd", write_page_checksum=True
    ) as writer:
        for table in ordered:
            writer.write_table(
                table.members.replace_schema_metadata(schema.metadata),
                row_group_size=max(1, table.members.num_rows),
            )
    storage.make_directory(path.rpartition("/")[0])
    storage.publish_bytes(path, buffer.getvalue())


def _read_footer(path: str, archive: Archive) -> list[_SavedContainer]:
    """Returns an index's containers; raises ValueError where it does not fit."""
    metadata = pq.read_metadata(path)
    footer: dict[str, Any] = json.loads((metadata.metadata or {})[_KEY])
    identity = (footer["size"], footer["generation"], footer["layout"])
    if footer["format"] != _FORMAT:
        raise ValueError("it was written by another version")
    if identity != (archive.file.size, archive.file.generation, archive.layout):
        raise ValueError("the archive has changed since")
    saved = [
        _SavedContainer(Container(name, offset, size), members, Skipped(*skipped))
        for name, offset, size, members, *skipped in footer["containers"]
    ]
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    if groups != [entry.members for entry in saved]:
        raise ValueError("its row groups do not match its list of containers")
    return saved


@dataclass
class IndexArchives(beam.PTransform):  # type: ignore[misc]
    """Lists the members of every archive, from a saved index where there is one.

    Attributes:
        index_dir: Directory of the saved indexes.
    """

    index_dir: str

    def expand(
        self, archives: beam.PCollection[Archive]
    ) -> beam.PCollection[MemberTable]:
        """Fans out over the containers of all archives."""
        tables = (
            archives
            | "FindContainers" >> beam.FlatMap(self._find_containers)
            | "SpreadContainers" >> beam.Reshuffle()
            | "ListMembers" >> beam.FlatMap(self._list_members)
        )
        _ = (
            tables
            | "KeyNewByArchive" >> beam.FlatMap(self._key_new_by_archive)
            | "GroupByArchive" >> beam.GroupByKey()
            | "SaveIndex" >> beam.Map(self._save_index)
        )
        return tables

    def _find_containers(self, archive: Archive) -> Iterator[ContainerBatch]:
        path = index_path(self.index_dir, archive)
        containers = open_index(path, archive)
        if containers is not None:
            yield from batch_containers(archive, containers, path)
        else:
            yield from batch_containers(archive, find_containers(archive), None)

    def _list_members(self, batch: ContainerBatch) -> Iterator[MemberTable]:
        tables = read_index(batch) if batch.index else walk_containers(batch)
        split = batch.archive.split
        for table in tables:
            _count(split, "members", table.members.num_rows)
            _count(split, "skipped_directories", table.skipped.directories)
            _count(split, "skipped_links", table.skipped.links)
            _count(split, "skipped_leftovers", table.skipped.leftovers)
            yield table

    def _key_new_by_archive(
        self, table: MemberTable
    ) -> Iterator[tuple[str, MemberTable]]:
        if not table.from_index:
            yield table.archive.file.uri, table

    def _save_index(self, group: tuple[str, Iterable[MemberTable]]) -> None:
        tables = list(group[1])
        archive = tables[0].archive
        path = index_path(self.index_dir, archive)
        try:
            write_index(path, archive, tables)
        except StorageError as error:
            _LOGGER.warning("The index is not kept for the next run: %s", error)


def _count(split: str, name: str, value: int) -> None:
    Metrics.counter(split, name).inc(value)
