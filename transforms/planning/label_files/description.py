"""What a configuration says of a file that tells the class of each image."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from transforms.errors import ConfigError, printable

LabelFormat = Literal["classes", "devkit", "caffe", "kaggle", "paths"]

# What an image is called that goes by its number: text, the number's digits, text.
NUMBERED: Final = re.compile(r"([^{}]*)\{:(?:0(\d{1,2}))?d\}([^{}]*)", re.ASCII)

_PATH: Final = "{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFile:
    """A file that tells the class of each image.

    Attributes:
        file: Where it is; with ``within``, its path in the archive, or beneath the
            directory of manual downloads.
        format: How it tells it.
        names: What image ``n`` is called, counted from 1, with ``{:08d}`` for the
            number in eight digits, for formats whose lines have no names; or of a
            path, with ``{path}`` for it, for ``paths``.
        map: A file with lines ``CLASS NUMBER``, perhaps with words after them, for
            ``devkit``, as ``map_clsloc.txt`` has them.
        images: Number of images that it should tell of; None for the split's members.
        within: The archive that has it, see ``SubsetFile``; None for a file by itself.
    """

    file: str
    format: LabelFormat
    names: str | None = None
    map: str | None = None
    images: int | None = None
    within: str | None = None

    def name_of_path(self, path: str) -> str:
        """Returns what an image is called that a list has under a path."""
        return (self.names or _PATH).replace(_PATH, path.removeprefix("/"))

    def __post_init__(self) -> None:
        """Refuses a format that lacks what it needs.

        Raises:
            ConfigError: Lines have no names and ``names`` has no pattern, or numbers
                no ``map``.
        """
        if self.format == "paths":
            if (self.names or _PATH).count(_PATH) != 1:
                raise ConfigError(
                    f"labels.names is '{printable(str(self.names))}': expected a name "
                    f"with {_PATH} for the path in the list, such as 'val_256/{_PATH}'."
                )
        elif self.names is not None and not NUMBERED.fullmatch(self.names):
            raise ConfigError(
                f"labels.names is '{printable(self.names)}': expected a name with "
                "{:08d} for the number of an image in eight digits, or {:d}."
            )
        if self.format in ("classes", "devkit") and self.names is None:
            raise ConfigError(
                f"labels.format is {self.format}, whose lines have no names: "
                "labels.names has to say what image n is called, such as "
                "'ILSVRC2012_val_{:08d}.JPEG'."
            )
        if self.format == "devkit" and self.map is None:
            raise ConfigError(
                "labels.format is devkit, whose numbers are in an order of their own: "
                "labels.map has to name a file with lines CLASS NUMBER."
            )
