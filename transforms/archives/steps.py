"""The step that lists every archive's members, from saved indexes where they are."""

import io
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms import counters
from transforms.archives.containers import (
    Archive,
    ContainerBatch,
    ListedContainer,
    MemberBatch,
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

# Later steps hold the names of an element as Python's: 85 bytes each.
_ROWS_TOGETHER: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class _ListedBatch:
    batch: ContainerBatch
    members: MemberBatch


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
    ) -> beam.PCollection[MemberBatch]:
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
        return listed | "EachSplit" >> beam.FlatMap(self._each_split)

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
            members = MemberBatch.of(batch.archive, walk_containers(batch))
        else:
            rows = range(batch.first, batch.first + len(batch.containers))
            members = read_index(batch.index, batch.archive, rows)
        _tell_of_ends(batch.archive, members.containers)
        return _ListedBatch(batch, members)

    def _each_split(self, listed: _ListedBatch) -> Iterator[MemberBatch]:
        for archive in (listed.batch.archive, *listed.batch.others):
            for part in listed.members.parts(_ROWS_TOGETHER):
                yield self._of_archive(replace(part, archive=archive))

    def _of_archive(self, whole: MemberBatch) -> MemberBatch:
        split = whole.archive.split
        batch = images_of_split(whole)
        _count(split, counters.MEMBERS, batch.members.num_rows)
        skipped = [each.skipped for each in batch.containers]
        _count(split, counters.SKIPPED_DIRECTORIES, sum(s.directories for s in skipped))
        _count(split, counters.SKIPPED_LINKS, sum(s.links for s in skipped))
        _count(split, counters.SKIPPED_LEFTOVERS, sum(s.leftovers for s in skipped))
        _count(split, counters.SKIPPED_OTHERS, sum(s.others for s in skipped))
        left_out = whole.members.num_rows - batch.members.num_rows
        _count(split, counters.OTHER_SPLITS, left_out)
        ends = [end for each in batch.containers for _, end in _ends(each)]
        _count(split, counters.UNMARKED_ENDS, sum(end.unmarked for end in ends))
        _count(split, counters.ZEROS_AT_ENDS, sum(end.zeros for end in ends))
        return batch

    def _encode_new(self, listed: _ListedBatch) -> Iterator[tuple[str, _IndexPart]]:
        """Encodes what was walked: small enough for a runner to gather in memory."""
        batch = listed.batch
        if batch.index is None and FORMS[batch.archive.form].keeps_index:
            data = encode_index(batch.archive, listed.members.tables())
            count = len(listed.members.containers)
            part = _IndexPart(batch.archive, batch.first, count, data)
            yield f"{batch.archive.split} {batch.archive.file.uri}", part

    def _save_index(self, group: tuple[str, Iterable[_IndexPart]]) -> None:
        parts = sorted(group[1], key=lambda part: part.first)
        archive = parts[0].archive
        tables = (
            table
            for part in parts
            for table in read_index(
                io.BytesIO(part.data), archive, range(part.count)
            ).tables()
        )
        try:
            write_index(index_path(archive), archive, tables)
        except StorageError as error:
            _LOGGER.warning("The index is not kept for the next run: %s", error)


def _with_file(archive: Archive) -> tuple[str, Archive]:
    return f"{archive.form} {archive.file.uri}", archive


def _tell_of_ends(archive: Archive, listed: Sequence[ListedContainer]) -> None:
    """Warns of tars that end otherwise than they are written, from an index too."""
    ends = [end for each in listed for end in _ends(each)]
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


def _ends(listed: ListedContainer) -> list[tuple[str, TarEnd]]:
    """Returns how a container ends, and with the first one, the tar it lies in."""
    container = listed.container
    ends = [(f"{container.name}.tar" if container.name else "it", listed.end)]
    if container.position == 0:
        ends.append(("it", container.outer))
    return ends


def _count(split: str, name: str, value: int) -> None:
    Metrics.counter(split, name).inc(value)
