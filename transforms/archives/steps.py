"""The step that lists every archive's members, from saved indexes where they are."""

import io
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms import counters
from transforms.archives.containers import (
    Archive,
    ContainerBatch,
    MemberTable,
    batch_containers,
)
from transforms.archives.forms import FORMS, find_containers, walk_containers
from transforms.archives.index import (
    encode_index,
    index_path,
    open_index,
    read_index,
    write_index,
)
from transforms.archives.naming import images_of_split
from transforms.archives.tar.end import TarEnd
from transforms.errors import StorageError, printable, sample

_LOGGER = logging.getLogger(__name__)


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


@dataclass
class IndexArchives(beam.PTransform):  # type: ignore[misc]
    """Lists the members of every archive, from a saved index where there is one.

    Attributes:
        save: Whether what is listed is kept for the next run, in each archive's
            directory of indexes.
    """

    save: bool = True

    def expand(
        self, archives: beam.PCollection[Archive]
    ) -> beam.PCollection[MemberTable]:
        """Fans out over the containers of all archives.

        A file that several splits are taken from is listed once.
        """
        listed = (
            archives
            | "KeyByFile" >> beam.Map(_with_file)
            | "SameFile" >> beam.GroupByKey()
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

    def _find_containers(
        self, group: tuple[str, Iterable[Archive]]
    ) -> Iterator[ContainerBatch]:
        archive, *others = sorted(group[1], key=lambda each: each.split)
        path: str | None = index_path(archive)
        containers = open_index(index_path(archive), archive)
        if containers is None:
            path, containers = None, find_containers(archive)
        yield from batch_containers(archive, containers, path, tuple(others))

    def _list_members(self, batch: ContainerBatch) -> _ListedBatch:
        if batch.index is None:
            tables = walk_containers(batch)
        else:
            rows = range(batch.first, batch.first + len(batch.containers))
            tables = read_index(batch.index, batch.archive, rows)
        _tell_of_ends(batch.archive, tables)
        return _ListedBatch(batch, tuple(tables))

    def _each_container(self, listed: _ListedBatch) -> Iterator[MemberTable]:
        for archive in (listed.batch.archive, *listed.batch.others):
            for table in listed.tables:
                yield self._of_archive(replace(table, archive=archive))

    def _of_archive(self, whole: MemberTable) -> MemberTable:
        split = whole.archive.split
        table = images_of_split(whole)
        _count(split, counters.MEMBERS, table.members.num_rows)
        _count(split, counters.SKIPPED_DIRECTORIES, table.skipped.directories)
        _count(split, counters.SKIPPED_LINKS, table.skipped.links)
        _count(split, counters.SKIPPED_LEFTOVERS, table.skipped.leftovers)
        _count(split, counters.SKIPPED_OTHERS, table.skipped.others)
        left_out = whole.members.num_rows - table.members.num_rows
        _count(split, counters.OTHER_SPLITS, left_out)
        for _, end in _ends(table):
            _count(split, counters.UNMARKED_ENDS, end.unmarked)
            _count(split, counters.ZEROS_AT_ENDS, end.zeros)
        return table

    def _encode_new(self, listed: _ListedBatch) -> Iterator[tuple[str, _IndexPart]]:
        """Encodes what was walked: small enough for a runner to gather in memory."""
        batch = listed.batch
        if batch.index is None and FORMS[batch.archive.form].keeps_index:
            data = encode_index(batch.archive, listed.tables)
            part = _IndexPart(batch.archive, batch.first, len(listed.tables), data)
            yield f"{batch.archive.split} {batch.archive.file.uri}", part

    def _save_index(self, group: tuple[str, Iterable[_IndexPart]]) -> None:
        parts = sorted(group[1], key=lambda part: part.first)
        archive = parts[0].archive
        tables = (
            table
            for part in parts
            for table in read_index(io.BytesIO(part.data), archive, range(part.count))
        )
        try:
            write_index(index_path(archive), archive, tables)
        except StorageError as error:
            _LOGGER.warning("The index is not kept for the next run: %s", error)


def _with_file(archive: Archive) -> tuple[str, Archive]:
    return f"{archive.form} {archive.file.uri}", archive


def _tell_of_ends(archive: Archive, tables: list[MemberTable]) -> None:
    """Warns of tars that end otherwise than they are written, from an index too."""
    ends = [each for table in tables for each in _ends(table)]
    unmarked = [tar for tar, end in ends if end.unmarked]
    if unmarked:
        _LOGGER.warning(
            "%s: without end-of-archive blocks after the last member: %s. So ends what "
            "was cut off there, by a download that stopped; if it was, images are "
            "missing.",
            printable(archive.file.uri),
            sample(unmarked),
        )
    padded = [(tar, end.zeros) for tar, end in ends if end.zeros]
    if padded:
        _LOGGER.warning(
            "%s: more zero bytes at its end than padding takes: %s. So ends a download "
            "that stopped in a file of the full length; if it did, images are missing.",
            printable(archive.file.uri),
            sample([f"{zeros:,} in {tar}" for tar, zeros in padded]),
        )


def _ends(table: MemberTable) -> list[tuple[str, TarEnd]]:
    """Returns how a container ends, and with the first one, the tar it lies in."""
    container = table.container
    ends = [(f"{container.name}.tar" if container.name else "it", table.end)]
    if container.position == 0:
        ends.append(("it", container.outer))
    return ends


def _count(split: str, name: str, value: int) -> None:
    Metrics.counter(split, name).inc(value)
