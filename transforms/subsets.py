"""Which images are wanted: subset lists, and the step that applies them."""

import hashlib
import http.client
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics

from transforms import storage
from transforms.archives import MEMBER_SCHEMA, Archive, Container, MemberTable
from transforms.errors import ConfigError, LabelError, SubsetError, printable
from transforms.labels import (
    LABEL_SCHEMA,
    LabelByContainer,
    LabelByName,
    Labeller,
    labels_by_name,
)
from transforms.lists import MOST_BYTES, check_size, decode_list, read_list
from transforms.order import order_keys
from transforms.subset_lines import parse_subset_list

_DOWNLOAD_TIMEOUT: Final = 60  # seconds without an answer

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
        labels: Each one's label, None where its line has none; None if none has one.
    """

    names: tuple[str, ...]
    source: str
    size: int
    labels: tuple[int | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted of a split, and how it is labelled.

    Attributes:
        labeller: Gives the images their labels.
        subset: The images wanted; None for all.
        class_names: The name of class ``i`` at position ``i``.
    """

    labeller: Labeller
    subset: SubsetList | None = None
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectedTable:
    """The wanted members of one container.

    Attributes:
        archive: The archive they lie in.
        container: The container.
        members: Rows of ``SELECTED_SCHEMA`` in archive order; may be empty.
        indexed: Number of images in the container, those that are not wanted too.
        example: Name of one member, wanted or not; empty where there is none.
    """

    archive: Archive
    container: Container
    members: pa.Table
    indexed: int
    example: str = ""


def read_subset_list(
    subset: SubsetFile, manual_dir: str, cache_dir: str, class_names: Sequence[str] = ()
) -> SubsetList:
    """Returns a subset list from manual_dir, the cache, or its URL, in that order.

    Args:
        subset: The list wanted.
        manual_dir: Where the user may have put it.
        cache_dir: Where a download is kept.
        class_names: The name of class ``i`` at position ``i``, for labels in words.

    Raises:
        SubsetError: The list can't be had, or its size or hash is wrong, or a line of
            it.
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
    lines = parse_subset_list(text, path, class_names)
    if not lines.names:
        raise SubsetError(f"{path} selects nothing: it names no image.")
    return SubsetList(lines.names, path, len(data), lines.labels)


def labels_of_list(subset: SubsetList, class_names: Sequence[str]) -> LabelByName:
    """Returns what labels a split's images as its subset list does.

    Args:
        subset: The list.
        class_names: The name of class ``i`` at position ``i``.

    Raises:
        LabelError: An image has no label there, or one that is none of a class.
    """
    labels = subset.labels or (None,) * len(subset.names)
    for name, label in zip(subset.names, labels, strict=True):
        if label is None:
            raise LabelError(
                f"{subset.source} decides the labels, and {printable(name)} has none "
                "there."
            )
        if not 0 <= label < len(class_names):
            raise LabelError(
                f"{subset.source} decides the labels, and {printable(name)} has "
                f"{label:,} there: there are {len(class_names):,} classes, counted "
                "from 0. class_names says which."
            )
    columns = [list(subset.names), list(labels)]
    return LabelByName(pa.table(columns, schema=LABEL_SCHEMA), subset.source)


def select_members(
    table: MemberTable, wanted: frozenset[str] | None, labeller: Labeller
) -> SelectedTable:
    """Returns a container's wanted members with their labels and order keys.

    Args:
        table: All members of the container. Those of an overlay go by their names
            without directories, for it may be packed in one of its own.
        wanted: Names to keep; None for all.
        labeller: Gives the members their labels.

    Raises:
        LabelError: The class of a member that is wanted can't be told.
    """
    members = table.members
    names = members["name"].to_pylist()
    if table.archive.layer:
        names = [storage.base_name(name) for name in names]
        members = members.set_column(
            0, MEMBER_SCHEMA.field("name"), pa.array(names, pa.string())
        )
    example = names[0] if names else ""
    keep: npt.NDArray[np.bool_] = np.fromiter(
        (wanted is None or name in wanted for name in names), np.bool_, len(names)
    )
    # Copies even where all are kept: a pickled slice drags what it was cut from along.
    members = members.filter(pa.array(keep))
    if wanted is not None and not members.num_rows:
        labels = np.empty(0, np.int64)  # whatever class it is of
    else:
        labels = labeller.labels(replace(table, members=members))
    keys = order_keys(members["name"].to_pylist(), table.archive.split)
    return SelectedTable(
        table.archive,
        table.container,
        pa.table([*members.columns, pa.array(labels), keys], schema=SELECTED_SCHEMA),
        table.members.num_rows,
        example,
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
        selection = self._selections[split]
        selected = select_members(table, self._wanted[split], selection.labeller)
        _count(split, "unknown_classes", _is_of_no_class(selected, selection.labeller))
        _count(split, "other_class", _of_other_class(selected, selection.class_names))
        yield selected


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


def _is_of_no_class(selected: SelectedTable, labeller: Labeller) -> int:
    """Returns 1 for a container that was passed over, whose class is not known."""
    return int(
        isinstance(labeller, LabelByContainer)
        and not selected.members.num_rows
        and selected.container.name not in labeller.class_names
    )


def _of_other_class(selected: SelectedTable, class_names: Sequence[str]) -> int:
    """Returns how many images have another label than their names tell of."""
    told = labels_by_name(selected.members["name"], class_names)
    labels = selected.members["label"].combine_chunks()
    return pc.sum(pc.not_equal(told, labels)).as_py() or 0


def _count(split: str, name: str, value: int) -> None:
    Metrics.counter(split, name).inc(value)


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
