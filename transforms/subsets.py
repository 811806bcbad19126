"""Which images are wanted: subset lists, and the step that applies them."""

import hashlib
import http.client
import re
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms import storage
from transforms.archives import Archive, Container, MemberTable
from transforms.errors import ConfigError, SubsetError, printable
from transforms.labels import Labeller
from transforms.lists import MOST_BYTES, check_size, decode_list, read_list
from transforms.order import order_keys

_DOWNLOAD_TIMEOUT: Final = 60  # seconds without an answer
_SEPARATORS: Final = re.compile(r"[\s,]+")

SELECTED_SCHEMA: Final = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),  # of the bytes, in the file
        pa.field("size", pa.int64(), nullable=False),  # bytes
        pa.field("label", pa.int64(), nullable=False),
        pa.field("key", pa.binary(16), nullable=False),  # see transforms.order
    ]
)


@dataclass(frozen=True, slots=True)
class SubsetFile:
    """Where a subset list comes from and how to know it.

    Attributes:
        file: Its name, in the directory of manual downloads or in the cache.
        url: Where to get it, if it can be downloaded.
        size: Its length in bytes, if known.
        sha256: Its hash in hexadecimal digits, if known.
    """

    file: str
    url: str | None = None
    size: int | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        """Refuses a name that leads elsewhere: a download is kept under it.

        Raises:
            ConfigError: It is empty, absolute, or leads upwards.
        """
        parts = self.file.split("/")
        if not parts[0] or ".." in parts or "\0" in self.file:
            raise ConfigError(
                f"The subset list '{printable(self.file)}' should be the name of a "
                "file beneath the directory of manual downloads."
            )


@dataclass(frozen=True, slots=True)
class SubsetList:
    """The images a split is cut down to.

    Attributes:
        names: Names without directories, in the list's order.
        source: The file they were read from, for messages.
        size: Length of that file in bytes.
    """

    names: tuple[str, ...]
    source: str
    size: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted of a split, and how it is labelled.

    Attributes:
        labeller: Gives the images their labels.
        subset: The images wanted; None for all.
    """

    labeller: Labeller
    subset: SubsetList | None = None


@dataclass(frozen=True, slots=True)
class SelectedTable:
    """The wanted members of one container.

    Attributes:
        archive: The archive they lie in.
        container: The container.
        members: Rows of ``SELECTED_SCHEMA`` in archive order; may be empty.
        indexed: Number of images in the container, those that are not wanted too.
    """

    archive: Archive
    container: Container
    members: pa.Table
    indexed: int


def parse_subset_list(text: str, source: str) -> tuple[str, ...]:
    """Returns the image names of a subset list.

    A line is ``name``, ``wnid/name`` or ``train/wnid/name``, and may have a label
    behind a space, tab or comma, which is ignored. Empty lines are skipped.

    Args:
        text: The list.
        source: Its file, for messages.

    Raises:
        SubsetError: A line has more than two columns, or a name occurs twice.

    Example:
        >>> parse_subset_list("n01440764/n01440764_36.JPEG 0", "list.txt")
        ('n01440764_36.JPEG',)
    """
    names: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        columns = [column for column in _SEPARATORS.split(line.strip()) if column]
        if not columns:
            continue
        name = columns[0].rsplit("/", 1)[-1]
        if len(columns) > 2 or not name:
            raise SubsetError(
                f"{source}, line {number:,}: expected an image name and perhaps a "
                f"label, found '{printable(line.strip())}'."
            )
        if name in names:
            raise SubsetError(
                f"{source} names {printable(name)} twice, on lines {names[name]:,} and "
                f"{number:,}. Remove one."
            )
        names[name] = number
    return tuple(names)


def read_subset_list(subset: SubsetFile, manual_dir: str, cache_dir: str) -> SubsetList:
    """Returns a subset list from manual_dir, the cache, or its URL, in that order.

    Args:
        subset: The list wanted.
        manual_dir: Where the user may have put it.
        cache_dir: Where a download is kept.

    Raises:
        SubsetError: The list can't be had, or its size or hash is wrong.
        StorageError: It can't be read, or the download can't be kept.
    """
    path = storage.join(manual_dir, subset.file)
    if not storage.exists(path):
        cached = storage.join(cache_dir, subset.file)
        if not storage.exists(cached):
            _download(subset, path, cached)
        path = cached
    data = read_list(path, SubsetError)
    _check(subset, data, path)
    text = decode_list(data, path, SubsetError)
    names = parse_subset_list(text, path)
    if not names:
        raise SubsetError(f"{path} selects nothing: it names no image.")
    return SubsetList(names, path, len(data))


def select_members(
    table: MemberTable, wanted: frozenset[str] | None, labeller: Labeller
) -> SelectedTable:
    """Returns a container's wanted members with their labels and order keys.

    Args:
        table: All members of the container.
        wanted: Names to keep; None for all.
        labeller: Gives the members their labels.

    Raises:
        LabelError: A member's class can't be told.
    """
    labels = labeller.labels(table)
    names = table.members["name"].to_pylist()
    keep: npt.NDArray[np.bool_] = np.fromiter(
        (wanted is None or name in wanted for name in names), np.bool_, len(names)
    )
    # Copies even where all are kept: a pickled slice drags what it was cut from along.
    members, labels = table.members.filter(pa.array(keep)), labels[keep]
    keys = order_keys(members["name"].to_pylist(), table.archive.split)
    return SelectedTable(
        table.archive,
        table.container,
        pa.table([*members.columns, pa.array(labels), keys], schema=SELECTED_SCHEMA),
        table.members.num_rows,
    )


class _SelectFn(beam.DoFn):  # type: ignore[misc]
    """Holds each subset as a set, which is made once per worker."""

    def __init__(self, selections: Mapping[str, Selection]) -> None:
        self._selections = selections
        self._wanted: dict[str, frozenset[str] | None] = {}

    def setup(self) -> None:
        self._wanted = {
            split: frozenset(selection.subset.names) if selection.subset else None
            for split, selection in self._selections.items()
        }

    def process(self, table: MemberTable) -> Iterator[SelectedTable]:
        split = table.archive.split
        yield select_members(
            table, self._wanted[split], self._selections[split].labeller
        )


@dataclass
class SelectMembers(beam.PTransform):  # type: ignore[misc]
    """Keeps the members that each split's subset names, and labels them.

    Attributes:
        selections: What is wanted of each split.
    """

    selections: Mapping[str, Selection]

    def expand(
        self, tables: beam.PCollection[MemberTable]
    ) -> beam.PCollection[SelectedTable]:
        """Filters each container by itself."""
        return tables | "Select" >> beam.ParDo(_SelectFn(self.selections))


def _download(subset: SubsetFile, manual: str, cached: str) -> None:
    place = f"Put it at {manual}."
    if subset.url is None:
        raise SubsetError(f"There is no subset list {subset.file}. {place}")
    if not subset.url.startswith(("https://", "http://")):
        raise SubsetError(
            f"The subset list {subset.file} can't be downloaded from {subset.url}: "
            f"only https:// and http:// are followed. {place}"
        )
    try:
        with urllib.request.urlopen(subset.url, timeout=_DOWNLOAD_TIMEOUT) as response:
            data: bytes = response.read(MOST_BYTES + 1)
            promised = int(response.headers.get("Content-Length", 0))
        if len(data) < min(promised, MOST_BYTES):
            raise http.client.IncompleteRead(data, promised - len(data))
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise SubsetError(
            f"The subset list {subset.file} is not in the directory of manual "
            f"downloads and can't be downloaded: {reason}. Get it from {subset.url} "
            f"({_identity(subset)}). {place}"
        ) from error
    check_size(len(data), subset.url, SubsetError)
    _check(subset, data, subset.url)
    storage.make_directory(cached.rpartition("/")[0])
    storage.publish_bytes(cached, data)


def _check(subset: SubsetFile, data: bytes, source: str) -> None:
    found = SubsetFile(
        subset.file, size=len(data), sha256=hashlib.sha256(data).hexdigest()
    )
    if subset.size in (None, found.size) and subset.sha256 in (None, found.sha256):
        return
    raise SubsetError(
        f"{source} is not the list that was published: it has {_identity(found)}, "
        f"expected {_identity(subset)}. Remove it to have it downloaded, or describe "
        "your own list in a config file."
    )


def _identity(subset: SubsetFile) -> str:
    size = "any size" if subset.size is None else f"{subset.size:,} bytes"
    return f"{size}, sha256 {subset.sha256 or 'any'}"
