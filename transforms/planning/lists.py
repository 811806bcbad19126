"""Text files with a name on each line, as people write them or download them.

Lists of images, of classes and of labels come from editors, spreadsheets and other
systems: with a byte order mark, with either kind of line ends, or by mistake as
something else altogether.
"""

import hashlib
import http.client
import re
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from transforms import archives, storage
from transforms.archives import image_name
from transforms.errors import ConfigError, SubsetError, printable
from transforms.planning.label_files.by_class import parse_by_class
from transforms.planning.texts import (
    MOST_BYTES,
    SubsetLines,
    check_size,
    decode_list,
    read_list,
)

_SEPARATORS: Final = re.compile(r"[\s,]+")
_NUMBER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_WNID: Final = re.compile(r"n\d{8}", re.ASCII)

# What spreadsheets and scripts call their columns, without _, - and spaces.
_COLUMNS: Final = frozenset(
    (
        *(
            "class",
            "classid",
            "category",
            "label",
            "labels",
            "synset",
            "target",
            "wnid",
        ),
        *("file", "filename", "filepath", "fname", "name", "path", "id", "index"),
        *("image", "images", "img", "imageid", "imagename", "imagepath"),
        *("predictionstring", "split", "index"),
    )
)


def parse_subset_list(
    text: str, source: str, class_names: Sequence[str] = ()
) -> SubsetLines:
    """Returns the images that a subset list names. Empty lines are skipped.

    A folder before a name that is a class is a label, too, unless one follows the name.

    Args:
        text: The list.
        source: Its file, for messages.
        class_names: The name of class ``i`` at position ``i``, for labels in words.

    Raises:
        SubsetError: A line is more or something else than a name and a label, or a
            name occurs twice.

    Example:
        >>> parse_subset_list("n01440764/n01440764_36.JPEG 0", "list.txt")
        SubsetLines(names=('n01440764_36.JPEG',), labels=(0,))
    """
    numbers = {name: label for label, name in enumerate(class_names)}
    lines: dict[str, int] = {}
    labels: list[int | None] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.replace("\\", "/")  # as Windows has it
        columns = [column for column in _SEPARATORS.split(line.strip()) if column]
        if not columns:
            continue
        folder, _, name = columns[0].rpartition("/")
        known = image_name(name)
        name = known.name if known else name
        label = _label_of(columns[1], numbers) if len(columns) == 2 else None
        if (
            not name
            or len(columns) > 1 + (label is not None)
            or '"' in line
            or _is_class(name, numbers)
            or (not lines and _is_header(columns))
        ):
            raise SubsetError(
                f"{source}, line {number:,}: expected an image name and perhaps a "
                f"label, found '{printable(line.strip())}'."
                f"{_describe(line, columns, numbers, first=not lines)}"
            )
        if name in lines:
            raise SubsetError(
                f"{source} names {printable(name)} twice, on lines {lines[name]:,} and "
                f"{number:,}. Remove one."
            )
        lines[name] = number
        own = _class_of_folder(folder, numbers, f"{source}, line {number:,}")
        labels.append(own if label is None else label)
    unlabelled = all(label is None for label in labels)
    return SubsetLines(tuple(lines), None if unlabelled else tuple(labels))


def _label_of(word: str, numbers: Mapping[str, int]) -> int | None:
    """Returns the label that a word stands for, None if it is no label."""
    return int(word) if _NUMBER.fullmatch(word) else numbers.get(word)


def _class_of_folder(folder: str, numbers: Mapping[str, int], line: str) -> int | None:
    """Returns the label that the folder of an image stands for, None if it has none.

    Raises:
        SubsetError: It is a class, but none of those that are known.
    """
    word = folder.rpartition("/")[2]
    if numbers and word not in numbers and _WNID.fullmatch(word):
        raise SubsetError(
            f"{line}: {word} is not one of the {len(numbers):,} known classes."
        )
    return numbers.get(word)


def _is_class(word: str, numbers: Mapping[str, int]) -> bool:
    return word in numbers or _WNID.fullmatch(word) is not None


def _is_header(columns: Sequence[str]) -> bool:
    words = (re.sub("[-_#]", "", column).lower() for column in columns)
    return all(word in _COLUMNS for word in words)


def _describe(
    line: str, columns: Sequence[str], numbers: Mapping[str, int], *, first: bool
) -> str:
    """Returns a sentence on what a line looks like that is none of a list."""
    if '"' in line:
        return " It has quotes, as spreadsheets write them: take them out."
    if first and _is_header(columns):
        return " It looks like a header: take it out."
    if len(columns) == 1:
        if _is_class(columns[0], numbers):
            return (
                " It looks like a class: a list names each of its images, as "
                f"{printable(columns[0])}_1.JPEG."
            )
        return ""
    label_first = _NUMBER.fullmatch(columns[0]) or _is_class(columns[0], numbers)
    if label_first and _label_of(columns[1], numbers) is None:
        return " It looks like a label before a name: the name comes first."
    if any("/" in column or "." in column for column in columns[1:]):
        return (
            " It looks like a path with a space in it: write what follows the last "
            "slash, which may not have one."
        )
    if len(columns) == 2 and not columns[0].endswith("/"):
        return f" {printable(columns[1])} is neither a number nor a known class."
    return ""


SubsetFormat = Literal["lines", "by_class"]

# How the formats of lists are read.
_PARSERS: Final[Mapping[str, Callable[[str, str, Sequence[str]], SubsetLines]]] = {
    "lines": parse_subset_list,
    "by_class": parse_by_class,
}

_DOWNLOAD_TIMEOUT: Final = 60  # seconds without an answer


@dataclass(frozen=True, slots=True)
class SubsetFile:
    """Where a subset list comes from and how to know it.

    Attributes:
        file: Its name, in the directory of manual downloads or in the cache; or an
            absolute path, or a URI.
        url: Where to get it, if it can be downloaded.
        size: Its length in bytes, if known.
        sha256: Its hash in hexadecimal digits, if known.
        within: The archive that has it, where it does not lie beside it: a name in the
            directory of manual downloads, an absolute path, or a URI.
        format: How it names images: ``lines``, a name on each, or ``by_class``, see
            ``label_files.by_class``.
    """

    file: str
    url: str | None = None
    size: int | None = None
    sha256: str | None = None
    within: str | None = None
    format: SubsetFormat = "lines"

    def __post_init__(self) -> None:
        """Refuses a relative name that leads upwards: a download is kept under it.

        Raises:
            ConfigError: It does, or it is no name at all.
        """
        upwards = ".." in self.file.split("/") and not storage.is_absolute(self.file)
        if not self.file or upwards or "\0" in self.file:
            raise ConfigError(
                f"The subset list '{printable(self.file)}' should be the name of a "
                "file beneath the directory of manual downloads, an absolute path, or "
                "a URI."
            )


@dataclass(frozen=True, slots=True)
class SubsetList:
    """The images a split is cut down to.

    Attributes:
        names: Names without directories, in the list's order.
        source: The file they were read from, for messages.
        size: Length of that file in bytes.
        labels: Each one's label, None where its line has none; None if none has one.
        lacking: How many more a draw from it should have taken.
    """

    names: tuple[str, ...]
    source: str
    size: int
    labels: tuple[int | None, ...] | None = None
    lacking: int = 0


def read_subset_list(
    subset: SubsetFile,
    manual_dir: str,
    cache_dir: str,
    class_names: Sequence[str] = (),
    most_bytes: int = MOST_BYTES,
) -> SubsetList:
    """Returns a subset list from manual_dir, the cache, or its URL, in that order.

    One with an absolute path or a URI is read there.

    Args:
        subset: The list wanted.
        manual_dir: Where the user may have put it.
        cache_dir: Where a download is kept.
        class_names: The name of class ``i`` at position ``i``, for labels in words.
        most_bytes: How long a list may be.

    Raises:
        SubsetError: The list cannot be found, or its size or hash is wrong, or a line
            of it.
        StorageError: It can't be read, or the download can't be kept.
    """
    path, data = fetch_list(subset, manual_dir, cache_dir, most_bytes)
    text = decode_list(data, path, SubsetError)
    lines = _PARSERS[subset.format](text, path, class_names)
    if not lines.names:
        raise SubsetError(f"{path} is empty: it should name the split's images.")
    return SubsetList(lines.names, path, len(data), lines.labels)


def fetch_list(
    subset: SubsetFile, manual_dir: str, cache_dir: str, most_bytes: int = MOST_BYTES
) -> tuple[str, bytes]:
    """Returns where a list lies and its bytes; see ``read_subset_list``.

    Raises:
        SubsetError: It cannot be found, or its size or hash is wrong.
        StorageError: It can't be read, or the download can't be kept.
    """
    path = storage.locate(subset.file, manual_dir)
    if storage.is_absolute(subset.file) and not storage.exists(path):
        raise SubsetError(f"There is no subset list {path}.")
    if subset.within is not None and not storage.exists(path):
        return _take_out(subset, subset.within, manual_dir, cache_dir, most_bytes)
    if not storage.exists(path):
        cached = storage.join(cache_dir, subset.file)
        if not storage.exists(cached):
            _download(subset, path, cached, most_bytes)
        path = cached
    data = read_list(path, SubsetError, most_bytes)
    _check(subset, data, path)
    return path, data


def _take_out(
    subset: SubsetFile, within: str, manual_dir: str, cache_dir: str, most: int
) -> tuple[str, bytes]:
    """Returns what a list in an archive is called, and its bytes."""
    archive = storage.locate(within, manual_dir)
    there = storage.exists(archive)
    # Where indexes are kept, too, unless the user says otherwise.
    index_dir = storage.join(cache_dir, "index")
    data = None
    if there:  # from the door, so that who has no such list does without Arrow
        data = archives.read_file_within(archive, subset.file, index_dir)
    if data is None:
        lacks = "which does not have it" if there else "which is not there"
        raise SubsetError(
            f"There is no list {subset.file} in {manual_dir}. It is a part of "
            f"{archive}, {lacks}. Get that archive, put the list there by itself, or "
            "name with within another archive that has it."
        )
    source = f"{subset.file} in {archive}"
    check_size(len(data), source, SubsetError, most)
    _check(subset, data, source)
    return source, data


def _download(subset: SubsetFile, manual: str, cached: str, most: int) -> None:
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
            data: bytes = response.read(most + 1)
            promised = int(response.headers.get("Content-Length", 0))
        if len(data) < min(promised, most):
            raise http.client.IncompleteRead(data, promised - len(data))
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise SubsetError(
            f"The subset list {subset.file} is not in the directory of manual "
            f"downloads and can't be downloaded: {reason}. Get it from {subset.url} "
            f"({_identity(subset)}). {place}"
        ) from error
    check_size(len(data), subset.url, SubsetError, most)
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
        f"expected {_identity(subset)}. Remove it to have it downloaded. For a list of "
        "your own, set url, size and sha256 of subset to null in a config file."
    )


def _identity(subset: SubsetFile) -> str:
    size = "any size" if subset.size is None else f"{subset.size:,} bytes"
    return f"{size}, sha256 {subset.sha256 or 'any'}"
