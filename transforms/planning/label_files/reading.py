"""Files that tell the class of each image, in the formats that they are published in.

========  ===========================  ================================================
format    a line                       published as
========  ===========================  ================================================
classes   ``n01751748``                ``validation_labels.txt`` of TFDS
devkit    ``490``                      ``ILSVRC2012_validation_ground_truth.txt``
caffe     ``ILSVRC….JPEG 65``          ``val.txt`` of Caffe's ``caffe_ilsvrc12.tar.gz``
kaggle    ``ILSVRC…,n03995372 85 1 4`` ``LOC_val_solution.csv``
paths     ``/a/airfield/1.jpg 0``      ``places365_train_standard.txt``
========  ===========================  ================================================

Line ``n`` of the first two is of image ``n``; the others name the images. A file is
read as what it is said to be: numbers of the development kit, from 1 in an order of
their own, read as Caffe's, from 0 in the order of names, would be wrong labels without
a word.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa

from transforms.errors import LabelError, printable
from transforms.planning.label_files.description import NUMBERED, LabelFile
from transforms.planning.labels import (
    LABEL_SCHEMA,
    LabelByName,
    read_lines,
    split_lines,
)
from transforms.planning.lists import SubsetFile, fetch_list
from transforms.planning.texts import decode_list

_SHAPES: Final[Mapping[str, str]] = {
    "kaggle": "NAME,CLASS BOX beneath the header ImageId,PredictionString",
    "caffe": "NAME NUMBER, classes counted from 0",
    "paths": "PATH NUMBER, classes counted from 0",
    "devkit": "NUMBER, which labels.map turns into a class",
    "classes": "CLASS",
}
# What the first line tells, in the order in which it is asked.
_LOOKS: Final[Mapping[str, re.Pattern[str]]] = {
    "kaggle": re.compile(r"ImageId,PredictionString|[^\s,]+,\S+( -?\d+){4}.*"),
    "caffe": re.compile(r"\S*[^\s\d]\S*[\s,]+\d+", re.ASCII),
    "devkit": re.compile(r"\d+", re.ASCII),
    "classes": re.compile(r"[^\s,]+"),
}
_LOOKS_LIKE: Final = {"paths": "caffe"}  # the same lines, joined by more of the path
_HEADER: Final = "ImageId,PredictionString"
_KAGGLE_EXTENSION: Final = ".JPEG"  # which its names lack
_NUMBER: Final = re.compile(r"\d{1,18}", re.ASCII)


def read_label_file(
    labels: LabelFile,
    class_names: Sequence[str],
    images: int | None = None,
    manual_dir: str = "",
    cache_dir: str = "",
) -> LabelByName:
    """Returns the labels that a file gives to images.

    Args:
        labels: The file.
        class_names: The name of class ``i`` at position ``i``.
        images: Number of images that there should be, where ``labels`` does not say.
        manual_dir: Where the archive is that has the file, if one has.
        cache_dir: Where what reading it takes is kept.

    Raises:
        LabelError: A line is not of the format, an image is there twice, or it tells of
            another number of images than there should be.
        StorageError: A file can't be read.
        SubsetError: The archive that has it cannot be found, or lacks it.
    """
    source, lines = _read_lines(labels, manual_dir, cache_dir)
    numbers = {name: label for label, name in enumerate(class_names)}
    found: dict[str, int] = {}
    try:
        for name, label in _READERS[labels.format](lines, labels, numbers):
            if name in found:
                raise LabelError(f"it names {printable(name)} twice.")
            found[name] = label
    except LabelError as error:
        raise LabelError(f"{source}: {error}{_hint(lines, labels)}") from None
    expected = images if labels.images is None else labels.images
    if expected not in (None, len(found)):
        raise LabelError(
            f"{source} tells the class of {len(found):,} images, and there "
            f"should be {expected:,}. A line that is lost shifts the labels after it: "
            "get the file again, or say with labels.images how many it should have."
        )
    columns = [list(found), list(found.values())]
    return LabelByName(
        pa.table(columns, schema=LABEL_SCHEMA), source, tuple(class_names)
    )


def _read_lines(
    labels: LabelFile, manual_dir: str, cache_dir: str
) -> tuple[str, list[str]]:
    """Returns what a file is called, and its lines."""
    if labels.within is None:
        return labels.file, read_lines(labels.file)
    wanted = SubsetFile(labels.file, within=labels.within)
    source, data = fetch_list(wanted, manual_dir, cache_dir)
    return source, split_lines(decode_list(data, source, LabelError))


_Labels = Iterator[tuple[str, int]]  # names of images and their labels


def _read_classes(
    lines: list[str], labels: LabelFile, numbers: Mapping[str, int]
) -> _Labels:
    numbered = _numbering(labels)
    for line, name in enumerate(lines, 1):  # an empty one too: it shifts the rest
        yield numbered(line), _label_of(name, line, numbers)


def _read_devkit(
    lines: list[str], labels: LabelFile, numbers: Mapping[str, int]
) -> _Labels:
    classes = _read_map(str(labels.map))
    numbered = _numbering(labels)
    for line, number in enumerate(lines, 1):
        if not _NUMBER.fullmatch(number):
            raise LabelError(f"line {line:,}, '{printable(number)}', is no number.")
        if int(number) not in classes:
            raise LabelError(
                f"line {line:,} has the number {int(number):,}, which {labels.map} "
                f"does not have: its go from {min(classes):,} to {max(classes):,}."
            )
        yield numbered(line), _label_of(classes[int(number)], line, numbers)


def _read_caffe(lines: list[str], _: LabelFile, numbers: Mapping[str, int]) -> _Labels:
    for path, label in _read_numbered(lines, numbers):
        yield path.rsplit("/", 1)[-1], label


def _read_paths(
    lines: list[str], labels: LabelFile, numbers: Mapping[str, int]
) -> _Labels:
    for path, label in _read_numbered(lines, numbers):
        yield labels.name_of_path(path), label


def _read_numbered(lines: list[str], numbers: Mapping[str, int]) -> _Labels:
    for line, text in enumerate(lines, 1):
        columns = text.split()
        if not columns:
            continue
        if len(columns) != 2 or not _NUMBER.fullmatch(columns[1]):
            raise LabelError(
                f"line {line:,}, '{printable(text)}', is no name with a number behind."
            )
        if int(columns[1]) >= len(numbers):
            raise LabelError(
                f"line {line:,} has the number {int(columns[1]):,}: classes are "
                f"counted from 0, and the last one is {len(numbers) - 1:,}."
            )
        yield columns[0], int(columns[1])


def _read_kaggle(lines: list[str], _: LabelFile, numbers: Mapping[str, int]) -> _Labels:
    if not lines or lines[0] != _HEADER:
        raise LabelError(f"its first line should be {_HEADER}.")
    for line, text in enumerate(lines[1:], 2):
        if not text:
            continue
        name, _comma, boxes = text.partition(",")
        columns = boxes.split()
        classes = {*columns[::5]}
        if not name or len(columns) % 5 or len(classes) != 1:
            raise LabelError(
                f"line {line:,}, '{printable(text)}', is no name with boxes of one "
                "class."
            )
        yield f"{name}{_KAGGLE_EXTENSION}", _label_of(classes.pop(), line, numbers)


_READERS: Final = {
    "classes": _read_classes,
    "devkit": _read_devkit,
    "caffe": _read_caffe,
    "kaggle": _read_kaggle,
    "paths": _read_paths,
}


def _numbering(labels: LabelFile) -> Callable[[int], str]:
    """Returns what gives the name of an image that goes by its number."""
    found = NUMBERED.fullmatch(labels.names or "")
    assert found is not None, "LabelFile refuses other names"
    before, width, after = found.groups()
    return f"{before}{{:0{width or 1}d}}{after}".format


def _label_of(name: str, line: int, numbers: Mapping[str, int]) -> int:
    if name not in numbers:
        raise LabelError(f"line {line:,}, '{printable(name)}', is no known class.")
    return numbers[name]


def _read_map(uri: str) -> dict[int, str]:
    """Returns the class that each number of the development kit stands for."""
    classes: dict[int, str] = {}
    for line, text in enumerate(read_lines(uri), 1):
        columns = text.split()
        if len(columns) < 2 or not _NUMBER.fullmatch(columns[1]):
            raise LabelError(
                f"line {line:,} of its map {uri}, '{printable(text)}', is no class "
                "with a number behind."
            )
        if int(columns[1]) in classes:
            raise LabelError(f"its map {uri} has the number {columns[1]} twice.")
        classes[int(columns[1])] = columns[0]
    if not classes:
        raise LabelError(f"its map {uri} is empty.")
    return classes


def _hint(lines: list[str], labels: LabelFile) -> str:
    """Returns what a file that is not of the format looks like."""
    first = next((line for line in lines if line), "")[:1000]
    looks = next((name for name, look in _LOOKS.items() if look.fullmatch(first)), "")
    if looks in ("", _LOOKS_LIKE.get(labels.format, labels.format)):
        return f" A line of labels.format={labels.format} is {_SHAPES[labels.format]}."
    return (
        f" It looks like labels.format={looks}, {_SHAPES[looks]}, and "
        f"{labels.format} was said."
    )
