"""Where a dataset's files lie, and in which formats it is there, finished."""

from collections.abc import Mapping
from dataclasses import dataclass

from transforms import storage
from transforms.errors import StorageError
from transforms.formats import FORMATS, MANIFEST, MARKS, Schema
from transforms.images import ImagePolicy


@dataclass(frozen=True, slots=True)
class ShardOutput:
    """Where shards go and what they are.

    Attributes:
        data_dir: The directory of datasets.
        dataset: The dataset's name.
        config: The configuration's name.
        version: ``major.minor.patch``.
        formats: Names of formats, keys of ``FORMATS``.
        schema: What the records have.
        images: What is done to the images of each split.
        pixels: Whether statistics cover the pixels too, which takes decoding.
        overwrite: Whether what is complete in a directory of these formats goes.
    """

    data_dir: str
    dataset: str
    config: str
    version: str
    formats: tuple[str, ...]
    schema: Schema
    images: Mapping[str, ImagePolicy]
    pixels: bool = False
    overwrite: bool = False

    def root(self, format_name: str) -> str:
        """Returns what a loader of the format is given: a directory."""
        if FORMATS[format_name].layout == "tfds":
            return self.data_dir
        return storage.join(self.data_dir, format_name, self.dataset, self.version)

    def directory(self, format_name: str) -> str:
        """Returns the directory of the format's files."""
        root = self.root(format_name)
        if FORMATS[format_name].layout == "tfds":
            return storage.join(root, self.dataset, self.config, self.version)
        return storage.join(root, self.config)

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
        return storage.join(
            self.data_dir, "quarantine", self.dataset, self.config, self.version
        )

    def reports(self, format_name: str) -> str:
        """Returns the directory of reports, which is there until the end."""
        return storage.join(self.directory(format_name), f".{format_name}.reports")


def is_complete(output: ShardOutput, format_name: str) -> bool:
    """Returns whether the dataset is there in a format, finished."""
    return format_name in finished_formats(output, format_name)


def finished_formats(output: ShardOutput, format_name: str) -> list[str]:
    """Returns the formats that are complete in the directory of one of them.

    Raises:
        StorageError: The directory's mark can't be read, or is none.
    """
    mark = output.mark(format_name)
    if not storage.exists(mark):
        return []
    if FORMATS[format_name].layout == "hub":
        return [format_name]
    info = storage.read_json(mark)
    main, others = info.get("fileFormat", ""), info.get("alternativeFileFormats") or []
    formats = [main, *others] if isinstance(others, list) else []
    if not formats or not all(isinstance(name, str) for name in formats):
        raise StorageError(
            f"{mark} should name the formats of the directory as text. Remove it, or "
            "build the dataset with --overwrite."
        )
    return formats
