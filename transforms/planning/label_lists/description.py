"""What a configuration says of a file that has all labels of each image."""

from dataclasses import dataclass

from transforms.errors import ConfigError, printable
from transforms.planning.label_files.description import NUMBERED


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelListFile:
    """A JSON file with a list of class numbers for each image, in order.

    Attributes:
        file: Its name, in the directory of manual downloads or in the cache; or an
            absolute path, or a URI.
        names: What image ``n`` is called, counted from 1, with ``{:08d}`` for the
            number in eight digits.
        images: Number of images that it should have labels of; None for any.
        url: Where to get it, if it can be downloaded.
        size: Its length in bytes, if known.
        sha256: Its hash in hexadecimal digits, if known.
    """

    file: str
    names: str
    images: int | None = None
    url: str | None = None
    size: int | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        """Refuses names without a number.

        Raises:
            ConfigError: They have none.
        """
        if not NUMBERED.fullmatch(self.names):
            raise ConfigError(
                f"label_lists.names is '{printable(self.names)}': expected a name with "
                "{:08d} for the number of an image in eight digits, or {:d}."
            )
