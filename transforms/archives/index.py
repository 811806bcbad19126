"""The saved index of an archive: where its images lie, kept for the next run.

Walking the 1.28 million headers of the training archive takes minutes on a disk and
a million requests on an object store. The result is 20 MB and holds until the archive
changes, so it is kept: a Parquet file with a row group per container, in archive
order, and the archive's identity in the footer. Its SHA-256 lies beside it. An index
that does not fit the archive as it is now, or its checksum, is written again.

    column       type
    name         string   its columns are those of ``containers.MEMBER_SCHEMA``
    class_name   string
    file         string
    offset       int64
    size         int64
    detail       string

The footer's key ``archive_index`` holds JSON: ``format`` (of this layout), ``size``
and ``generation`` of the archive, ``form``, ``headers`` (places of some headers of
the archive), ``headers_sha256`` (of these), and ``containers``, a list of ``[name,
file, folder, offset, size, position, total, outer unmarked, outer zeros, members,
directories, links, leftovers, others, unmarked, zeros]``; see ``containers.Container``,
``Skipped``, ``tar.end.TarEnd``.
"""

import hashlib
import io
import json
import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple
from functools import lru_cache
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from transforms import storage
from transforms.archives.containers import (
    MEMBER_SCHEMA,
    Archive,
    Container,
    ListedContainer,
    MemberBatch,
    MemberTable,
    Skipped,
)
from transforms.archives.forms import FORMS
from transforms.archives.index_proof import HeaderDraw, digest_headers, spread_places
from transforms.archives.tar.end import TarEnd
from transforms.archives.tar.header import BLOCK
from transforms.errors import StorageError
from transforms.storage import FileInfo

_FORMAT: Final = 4
_ENTRY_LENGTH: Final = 16  # of a container
_KEY: Final = "archive_index"
_LOGGER = logging.getLogger(__name__)

# What Parquet or JSON that was tampered with raises, whatever its checksum.
_DAMAGE: Final = (
    *(pa.ArrowException, OSError, ValueError, LookupError, TypeError, RecursionError),
)


def index_path(archive: Archive) -> str:
    """Returns where an archive's index is kept: its name and a hash of its path."""
    name = storage.base_name(archive.file.uri)
    digest = hashlib.sha256(archive.file.uri.encode()).hexdigest()[:12]
    return storage.join(archive.index_dir, f"{name}-{digest}.parquet")


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
        metadata = pq.read_metadata(io.BytesIO(data))
        saved = _check_footer(metadata, archive)
        places = [(entry.container.position, entry.container.total) for entry in saved]
        if places != [(position, len(saved)) for position in range(len(saved))]:
            raise ValueError("it does not list every container")
        _check_proof(_read_json(metadata), archive)
    except (StorageError, *_DAMAGE) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        _LOGGER.warning("Index %s is not used, but made again: %s", path, reason)
        return None
    return tuple(entry.container for entry in saved)


def read_index(source: str | io.BytesIO, archive: Archive, rows: range) -> MemberBatch:
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
        batch = MemberBatch(
            archive,
            tuple(saved[rows.start : rows.stop]),
            together.cast(MEMBER_SCHEMA).combine_chunks(),
        )
        _check_places(batch)
        return batch
    except _DAMAGE as error:
        raise StorageError(
            f"Can't read the saved index {source}: {error}. Remove it and rerun."
        ) from error


def _check_places(batch: MemberBatch) -> None:
    """Raises ValueError where an index lists members outside of their container."""
    members = batch.members
    offsets, sizes = members["offset"].to_numpy(), members["size"].to_numpy()
    plain = pc.equal(members["detail"], "").to_numpy()
    containers = [each.container for each in batch.containers]
    first = batch.for_members([each.offset for each in containers])
    last = batch.for_members([each.offset + each.size for each in containers])
    end = last - np.where(plain, sizes, 0)
    if ((offsets < first) | (sizes < 0) | (offsets > end)).any():
        raise ValueError("it lists members outside of their container")


def _opened(source: str | io.BytesIO) -> AbstractContextManager[BinaryIO]:
    return storage.open_file(source) if isinstance(source, str) else nullcontext(source)


def encode_index(
    archive: Archive, tables: Iterable[MemberTable], *, prove: bool = False
) -> bytes:
    """Returns the index of containers, as the bytes of a Parquet file.

    Args:
        archive: The archive the tables were read from.
        tables: One per container, in archive order; taken one at a time.
        prove: Whether some headers of the archive are read, by which it is known
            again. A part of an index does without.

    Raises:
        StorageError: These can't be read.
    """
    containers = []
    drawn = HeaderDraw(archive.file.size)
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, MEMBER_SCHEMA, compression="zstd") as writer:
        for table in tables:
            rows = table.members.num_rows
            containers.append(_encode_container(table))
            drawn.add(table)
            writer.write_table(table.members, row_group_size=max(1, rows))
        headers = _prove(archive, drawn) if prove else []
        footer = {
            "format": _FORMAT,
            "size": archive.file.size,
            "generation": archive.file.generation,
            "form": archive.form,
            "headers": headers,
            "headers_sha256": digest_headers(archive, headers) if headers else "",
            "containers": containers,
        }
        writer.add_key_value_metadata({_KEY: json.dumps(footer)})
    return buffer.getvalue()


def _prove(archive: Archive, drawn: HeaderDraw) -> list[int]:
    """Returns the places of the headers by which an archive is known again."""
    match FORMS[archive.form].offsets:
        case "file":
            return drawn.places()
        case "stream":
            return spread_places(archive.file.size)
        case "folder":
            return []


def write_index(path: str, archive: Archive, tables: Iterable[MemberTable]) -> None:
    """Saves the members of all of an archive's containers.

    Args:
        path: Where to keep the index; its directory is made.
        archive: The archive the tables were read from.
        tables: One per container, in archive order.

    Raises:
        StorageError: The file can't be written, or the archive not be read.
    """
    data = encode_index(archive, tables, prove=True)
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
) -> tuple[pq.FileMetaData, list[ListedContainer]]:
    """Parses a footer once for all batches: it lists every container's columns."""
    return _parse_footer(index.uri, archive)


def _parse_footer(
    source: str | io.BytesIO, archive: Archive
) -> tuple[pq.FileMetaData, list[ListedContainer]]:
    with _opened(source) as stream:
        metadata = pq.read_metadata(stream)
    return metadata, _check_footer(metadata, archive)


def _read_json(metadata: pq.FileMetaData) -> dict[str, Any]:
    footer: dict[str, Any] = json.loads((metadata.metadata or {})[_KEY.encode()])
    return footer


def _check_footer(metadata: pq.FileMetaData, archive: Archive) -> list[ListedContainer]:
    """Returns an index's containers; raises ValueError where it does not fit."""
    footer = _read_json(metadata)
    identity = (footer["size"], footer["generation"], footer["form"])
    if footer["format"] != _FORMAT:
        raise ValueError("it was written by another version")
    if identity != (archive.file.size, archive.file.generation, archive.form):
        raise ValueError("the archive has changed since")
    saved = [_decode_container(entry) for entry in footer["containers"]]
    in_file = FORMS[archive.form].offsets == "file"
    for entry in saved:
        end = entry.container.offset + entry.container.size
        if in_file and end > archive.file.size:
            raise ValueError("it lists containers outside of the archive")
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    if groups != [entry.rows for entry in saved]:
        raise ValueError("its row groups do not match its list of containers")
    return saved


def _check_proof(footer: dict[str, Any], archive: Archive) -> None:
    """Raises ValueError where the archive's headers are not those it was made from."""
    if FORMS[archive.form].offsets == "folder":
        return  # its generation is that of each of its files
    places = footer["headers"]
    last = max(0, archive.file.size - BLOCK)
    if not places or not all(type(p) is int and 0 <= p <= last for p in places):
        raise ValueError("it has no headers to know the archive by")
    if digest_headers(archive, places) != footer["headers_sha256"]:
        raise ValueError(
            "the archive is another one of the same length and time, by its headers"
        )


def _encode_container(table: MemberTable) -> list[Any]:
    container = table.container
    return [
        *(container.name, container.file, container.folder),
        *(container.offset, container.size),
        *(container.position, container.total, *astuple(container.outer)),
        *(table.members.num_rows, *astuple(table.skipped), *astuple(table.end)),
    ]


def _decode_container(entry: list[Any]) -> ListedContainer:
    name, file, folder, *numbers = entry
    whole = all(type(number) is int and number >= 0 for number in numbers)
    named = all(type(each) is str for each in (name, file, folder))
    if len(entry) != _ENTRY_LENGTH or not named or not whole:
        raise ValueError("it lists containers that cannot be")
    offset, size, position, total = numbers[:4]
    return ListedContainer(
        Container(
            *(name, offset, size, position, total),
            *(TarEnd(*numbers[4:6]), file, folder),
        ),
        numbers[6],
        Skipped(*numbers[7:11]),
        TarEnd(*numbers[11:]),
    )
