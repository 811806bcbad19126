"""WebDataset tars: three members for each record, side by side.

    <key>.jpg    the image; .webp or .png where all are encoded so
    <key>.cls    the label in ASCII digits; -1 for none
    <key>.json   the file's name, the label and the class's name, empty for none, and
                 all labels where records have several; by the names of their features

The key is the file's name without its extension. WebDataset ends a key at its first
dot, so dots become underscores. Every record has all three members, labels or not:
``datasets`` looks for them in the first records only, and drops what one split lacks.
Owner, mode and time are the same in every header, so the bytes depend on nothing else.
"""

import json
import posixpath
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import BinaryIO, Final

from transforms.errors import FormatError, printable, sample
from transforms.formats.format import Features, from_stream, to_stream
from transforms.formats.listing import ConfigFacts, SplitFacts
from transforms.formats.records import (
    FEATURES,
    DamagedRecords,
    Example,
    Schema,
    undamaged,
)
from transforms.images import read_header
from transforms.storage import Publication

_IMAGES: Final = ("jpg", "webp", "png")
_OTHERS: Final = ["cls", "json"]
_MEMBERS: Final = 1 + len(_OTHERS)

# What text that is no JSON raises, or JSON of another shape, or nested without end.
_JSON_ERRORS: Final = (
    *(ValueError, LookupError, TypeError, AttributeError, RecursionError),
)


class WebDatasetWriter:
    """Writes Examples to a tar."""

    def __init__(self, file: Publication, schema: Schema) -> None:
        """Writes to ``file``, which stays open.

        Args:
            file: An empty file.
            schema: The names of the classes, and whether the JSON has dimensions.
        """
        self._file = file
        self._schema = schema
        self._keys = _json_keys(schema.features)
        self._names: dict[str, str] = {}  # of the files, by key

    def write(self, example: Example) -> None:
        """Appends an Example.

        Raises:
            FormatError: One that was written has the same key.
        """
        key = record_key(example.file_name)
        if key in self._names:
            raise FormatError(
                f"{printable(self._names[key])} and {printable(example.file_name)} "
                f"have the same key in a WebDataset tar, {printable(key)}, so they "
                "can't be in one."
            )
        self._names[key] = example.file_name
        self._add(f"{key}.{self._schema.extension}", example.image)
        self._add(f"{key}.cls", b"%d" % example.label)
        self._add(f"{key}.json", _description(example, self._schema, self._keys))

    def close(self) -> None:
        """Writes the end of the tar: two empty blocks, then up to a whole record."""
        end = 2 * tarfile.BLOCKSIZE
        self._file.write(bytes(end + -(self._file.tell() + end) % tarfile.RECORDSIZE))

    def _add(self, name: str, data: bytes) -> None:
        header = tarfile.TarInfo(name)
        header.size = len(data)
        header.mode = 0o444
        self._file.write(header.tobuf(tarfile.GNU_FORMAT))
        self._file.write(data)
        self._file.write(bytes(-len(data) % tarfile.BLOCKSIZE))


def read_webdataset(file: BinaryIO, features: Features = FEATURES) -> Iterator[Example]:
    """Yields the Examples of a tar; one is in memory at a time.

    Raises:
        FormatError: It is no tar or is cut off, or a record lacks a member, has
            another, or contradicts itself.
    """
    return undamaged(scan_webdataset(file, features))


def scan_webdataset(
    file: BinaryIO, features: Features = FEATURES
) -> Iterator[Example | DamagedRecords]:
    """Yields the Examples of a tar, and goes on after damaged ones.

    Raises:
        FormatError: It is no tar or is cut off.
    """
    keys = _json_keys(features)
    try:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            records = groupby(_members(tar), lambda member: member[0].partition(".")[0])
            for key, group in records:
                # One more than a record can have shows that there are too many.
                members = list(islice(group, _MEMBERS + 1))
                try:
                    yield _example(key, members, keys)
                except FormatError as error:
                    yield DamagedRecords(1, str(error))
    except tarfile.TarError as error:
        raise FormatError(f"Damaged, or no tar: {error}.") from error


def record_key(file_name: str) -> str:
    """Returns what the members of a file's record are named, without extensions."""
    return posixpath.splitext(file_name)[0].replace(".", "_")


def file_name(dataset: str, split: str, index: int, count: int) -> str:
    """Returns a tar's name as WebDataset's brace notation expects it."""
    return f"{split}-{index:06d}.tar"


def companions(
    dataset: str, config: ConfigFacts, classes: Sequence[str] = ()
) -> Mapping[str, Mapping[str, object]]:
    """Returns what loaders read beside a configuration's tars, by name.

    An ``_info.json`` as timm's ``reader_wds.py`` reads it, and for each split an index
    as the ``wids`` package of webdataset 0.2 reads it.

    Args:
        dataset: The dataset's name.
        config: The configuration.
        classes: What class ``i`` is called at position ``i``; empty where unknown.
    """
    splits = {split.name: _timm_split(split) for split in config.splits}
    named = {"classes": list(classes)} if classes else {}
    return {"_info.json": {"splits": splits, **named}} | {
        f"{split.name}-index.json": _wids_index(
            f"{dataset}/{config.name}/{split.name}", split
        )
        for split in config.splits
    }


def _json_keys(features: Features) -> dict[str, str]:
    """Returns what the JSON calls a record's values, by kind."""
    columns = Schema((), features=features).columns
    return {each.kind: each.name for each in columns if each.kind != "image"}


def _description(example: Example, schema: Schema, keys: Mapping[str, str]) -> bytes:
    # A null for none would be a type of its own to datasets: splits would clash.
    name = schema.class_names[example.label] if example.label >= 0 else ""
    description: dict[str, object] = {
        keys["text"]: example.file_name,
        keys["label"]: example.label,
        "class_name": name,
    }
    if "label_list" in keys:
        description[keys["label_list"]] = example.labels
    if schema.dimensions:
        header = read_header(example.image)
        description |= {"width": header.width, "height": header.height}
    text = json.dumps(description, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Yields names and contents; makes sure that what ends the tar is its end."""
    for header in tar:
        content = tar.extractfile(header)
        if content is None:
            raise FormatError(f"{printable(header.name)} is no file.")
        yield header.name, content.read()
    # tarfile takes a damaged header for the end, and misses an end that isn't there.
    rest = tar.fileobj.read(tarfile.RECORDSIZE)
    if len(rest) < tarfile.BLOCKSIZE or any(rest):
        raise FormatError(f"The tar is damaged or cut off at byte {tar.offset:,}.")


def _example(
    key: str, members: list[tuple[str, bytes]], keys: Mapping[str, str]
) -> Example:
    shown = printable(key)
    found = [name.removeprefix(f"{key}.") for name, _ in members]
    if found[:1] not in [[image] for image in _IMAGES] or found[1:] != _OTHERS:
        raise FormatError(f"{shown} has [{sample(found)}], expected jpg, cls, json.")
    (_, image), (_, digits), (_, description) = members
    try:
        values = json.loads(description)
        file_name, label = values[keys["text"]], values[keys["label"]]
        labels = tuple(values[keys["label_list"]]) if "label_list" in keys else ()
        file_name.encode()  # JSON can hold halves of characters
    except _JSON_ERRORS as error:
        raise FormatError(f"{shown} has no label, or no JSON with one.") from error
    if any(type(n) is not int or not -1 <= n < 1 << 63 for n in (label, *labels)):
        raise FormatError(f"{shown}.json has a label that is no class.")
    if record_key(file_name) != key or digits != b"%d" % label:
        raise FormatError(f"{shown}.json is of another file or label.")
    return Example(file_name, image, label, labels)


def _timm_split(split: SplitFacts) -> dict[str, object]:
    return {
        "name": split.name,
        "filenames": [file.name for file in split.files],
        "shard_lengths": [file.examples for file in split.files],
        "num_samples": split.examples,
    }


def _wids_index(name: str, split: SplitFacts) -> dict[str, object]:
    return {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "name": name,
        "shardlist": [
            {"url": file.name, "nsamples": file.examples, "filesize": file.size}
            for file in split.files
        ],
    }


publish = to_stream(WebDatasetWriter)
read = from_stream(read_webdataset)
scan = from_stream(scan_webdataset)
