r"""The names that images go by, whoever packed them.

One image has many spellings: ``n01440764/n01440764_36.JPEG`` in a folder,
``n01440764_36_n01440764.JPEG`` on the Hugging Face hub, ``n01440764_36.jpeg`` where a
tool renamed it. All have one normal form, ``n01440764_36.JPEG``, by which lists select,
labels are joined and records are ordered. So a list made for one source selects in
another. The normal form is made of a path in three steps:

1.  A backslash counts as a slash, unless it begins the escape of a byte that is no
    text (``\xff``), and what stands before the last one is cut off.
2.  Of the name of an ILSVRC image, its number and perhaps its class
    (``<wnid>_<number>``, ``ILSVRC2012_val_<8 digits>``, ``ILSVRC2012_test_<8 digits>``,
    each perhaps followed by ``_<wnid>``), the class that follows is cut off, and the
    extension ``.jpg`` or ``.jpeg`` becomes ``.JPEG``, however it is written.
3.  Every other name stays as it is.

Source: names in the published archives and in ``ILSVRC/imagenet-1k`` of the hub.
"""

import re
from typing import Final, NamedTuple

# Templates of what images are called, see ``naming``.
BY_FILE: Final = "{file}"
PLACEHOLDERS: Final = ("file", "stem", "class", "path", "root")

_ARCHIVE_ENDS: Final = (".tar", ".gz", ".tgz", ".zip", ".parquet")
_ILSVRC: Final = re.compile(
    r"(n\d{8}_\d+|ILSVRC2012_(?:val|test)_\d{8})(?:_(n\d{8}))?\.(?i:jpe?g)",
    re.ASCII,
)

_BACKSLASH: Final = re.compile(r"\\(?!x[0-9a-f]{2})")

# What an image's file is called at its end. A name without any is taken for one too.
_EXTENSIONS: Final = frozenset(
    (
        *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif"),
        *("bmp", "dib", "tif", "tiff", "ppm", "pgm", "avif", "heic", "jp2"),
    )
)


class ImageName(NamedTuple):
    """What a path says of an image.

    Attributes:
        name: Its name in the normal form.
        class_name: The class that follows the name, as the hub has it; else empty.
    """

    name: str
    class_name: str = ""


def image_name(path: str) -> ImageName | None:
    """Returns the name an image goes by, or None for what an editor or OS left there.

    Names that begin with a dot or end with ``~``, and absolute ones, are leftovers, as
    they are to TFDS (``core/download/extractor.py``), and so is what lies in
    ``__MACOSX``.

    Args:
        path: The path of its file as the archive has it.

    Example:
        >>> image_name("./train/n01440764/n01440764_36_n01440764.jpeg")
        ImageName(name='n01440764_36.JPEG', class_name='n01440764')
    """
    if known := _ILSVRC.fullmatch(path):  # as most are: in no folder
        return _of_ilsvrc(known)
    parts = _parts(path)
    leftover = (
        not parts
        or path.startswith(("/", "\\"))
        or parts[-1].endswith("~")
        or ".." in parts
        or "__MACOSX" in parts[:-1]
        or any(part.startswith(".") for part in (parts[0], parts[-1]))
    )
    if leftover:
        return None
    name = parts[-1]
    known = _ILSVRC.fullmatch(name)
    return _of_ilsvrc(known) if known else ImageName(name)


def _of_ilsvrc(known: re.Match[str]) -> ImageName:
    name, class_name = known.groups("")
    return ImageName(f"{name}.JPEG", class_name)


def normal_path(path: str) -> str:
    """Returns a file's path without what says nothing of where it lies.

    Example:
        >>> normal_path("./food-101//meta/train.json")
        'food-101/meta/train.json'
    """
    return "/".join(_parts(path))


def folder_of(path: str) -> str:
    """Returns the path of the folder a file lies in; empty for none.

    Example:
        >>> folder_of("./train//n01440764/n01440764_36.JPEG")
        'train/n01440764'
    """
    return "/".join(_parts(path)[:-1])


def is_image(name: str) -> bool:
    """Returns whether a file is an image by its name, or has no extension at all."""
    return "." not in name or has_image_extension(name)


def has_image_extension(name: str) -> bool:
    """Returns whether a file is an image by its extension."""
    return name.rpartition(".")[2].lower() in _EXTENSIONS


def is_called_archive(name: str) -> bool:
    """Returns whether a file is an archive by its extension."""
    return name.endswith(_ARCHIVE_ENDS)


def _parts(path: str) -> list[str]:
    if "\\" in path:
        path = _BACKSLASH.sub("/", path)
    return [each for each in path.split("/") if each not in ("", ".")]
