"""The lines of a subset list: which images it names, and with which labels.

A line is ``name``, ``wnid/name`` or ``train/wnid/name``, and may have a label behind a
space, tab or comma: a number, or the name of a class. What is no such line is refused
with what it looks like, for what it names would only be missed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from transforms.errors import SubsetError, printable

_SEPARATORS: Final = re.compile(r"[\s,]+")
_NUMBER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_WNID: Final = re.compile(r"n\d{8}", re.ASCII)
_FOREIGN: Final = re.compile(r'["\\]')

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


@dataclass(frozen=True, slots=True)
class SubsetLines:
    """What the lines of a list say.

    Attributes:
        names: Names without directories, in the list's order.
        labels: Each one's label, None where its line has none; None if none has one.
    """

    names: tuple[str, ...]
    labels: tuple[int | None, ...] | None = None


def parse_subset_list(
    text: str, source: str, class_names: Sequence[str] = ()
) -> SubsetLines:
    """Returns the images that a subset list names. Empty lines are skipped.

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
        columns = [column for column in _SEPARATORS.split(line.strip()) if column]
        if not columns:
            continue
        name = columns[0].rsplit("/", 1)[-1]
        label = _label_of(columns[1], numbers) if len(columns) == 2 else None
        if (
            not name
            or len(columns) > 1 + (label is not None)
            or _FOREIGN.search(line)
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
        labels.append(label)
    unlabelled = all(label is None for label in labels)
    return SubsetLines(tuple(lines), None if unlabelled else tuple(labels))


def _label_of(word: str, numbers: Mapping[str, int]) -> int | None:
    """Returns the label that a word stands for, None if it is no label."""
    return int(word) if _NUMBER.fullmatch(word) else numbers.get(word)


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
    if "\\" in line:
        return " It looks like a path of Windows: write / in place of \\."
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
