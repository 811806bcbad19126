"""Where a dataset's files lie, and in which formats it is there, finished."""

from dataclasses import dataclass
from typing import Final

from transforms import storage
from transforms.errors import StorageError
from transforms.formats.format import Layout
from transforms.formats.table import FORMATS, ONLY_CONFIG

MANIFEST: Final = "manifest.json"

# The document that is written last: a directory that has it is complete.
MARKS: Final[dict[Layout, str]] = {
    "tfds": "dataset_info.json",
    "hub": MANIFEST,
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of a dataset lie, in each format.

    Attributes:
        data_dir: The directory of datasets.
        dataset: The dataset's name.
        config: The configuration's name; empty where the dataset has but one.
        version: ``major.minor.patch``.
    """

    data_dir: str
    dataset: str
    config: str
    version: str

    def root(self, format_name: str) -> str:
        """Returns what a loader of the format is given: a directory."""
        if FORMATS[format_name].layout == "tfds":
            return self.data_dir
        return storage.join(self.data_dir, format_name, self.dataset, self.version)

    def directory(self, format_name: str) -> str:
        """Returns the directory of the format's files."""
        root = self.root(format_name)
        if FORMATS[format_name].layout == "tfds":
            return storage.join(root, *self._parts())
        return storage.join(root, self.config or ONLY_CONFIG)

    def mark(self, format_name: str) -> str:
        """Returns the document whose presence says that the directory is complete."""
        return storage.join(
            self.directory(format_name), MARKS[FORMATS[format_name].layout]
        )

    def manifest(self, format_name: str) -> str:
        """Returns the document that lists the directory's files."""
        return storage.join(self.directory(format_name), MANIFEST)

    def quarantine(self) -> str:
        """Returns the directory of what was rejected, whatever the format."""
        return storage.join(self.data_dir, "quarantine", *self._parts())

    def beside(self, format_name: str) -> str | None:
        """Returns TFDS's directory beside the configurations, where it has one."""
        if not self.config or FORMATS[format_name].layout != "tfds":
            return None
        return storage.join(self.root(format_name), self.dataset, ".config")

    def _parts(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.dataset, self.config, self.version)))

    def reports(self, format_name: str) -> str:
        """Returns the directory of reports, which is there until the end."""
        return storage.join(self.directory(format_name), f".{format_name}.reports")

    def finished_formats(self, format_name: str) -> list[str]:
        """Returns the formats that are complete in the directory of one of them.

        Raises:
            StorageError: The directory's mark can't be read, or is none.
        """
        mark = self.mark(format_name)
        if not storage.exists(mark):
            return []
        if FORMATS[format_name].layout == "hub":
            return [format_name]
        info = storage.read_json(mark)
        main = info.get("fileFormat", "")
        others = info.get("alternativeFileFormats") or []
        formats = [main, *others] if isinstance(others, list) else []
        if not formats or not all(isinstance(name, str) for name in formats):
            raise StorageError(
                f"{mark} should name the formats of the directory as text. Remove it, "
                "or build the dataset with --overwrite."
            )
        return formats


def find_data_dir(
    directory: str, dataset: str, config: str, version: str
) -> str | None:
    """Returns the directory of datasets that a dataset lies in, if its path shows it.

    Args:
        directory: Where its files lie in one of the formats, or what a loader is given.
        dataset: The dataset's name.
        config: The configuration's name.
        version: ``major.minor.patch``.
    """
    beneath = Places("", dataset, config, version)
    for place in (beneath.directory, beneath.root):
        for suffix in map(place, FORMATS):
            if suffix and directory.endswith(suffix):
                return directory.removesuffix(suffix) or "/"
    return None
