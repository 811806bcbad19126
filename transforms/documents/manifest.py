"""The manifest of a dataset's directory: every file with its length and its hash.

``manifest.json`` holds ``Manifest``, field by field. By it a dataset can be verified
without the program that built it, and a later run knows what was built before. A digest
says which hash it is, so files of several builds may have different ones.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Final

from transforms import storage
from transforms.errors import ConfigError, StorageError
from transforms.fields import convert
from transforms.formats import (
    FEATURES,
    ONLY_CONFIG,
    ConfigFacts,
    DocumentFacts,
    Feature,
    Schema,
    SplitCounts,
    SplitFacts,
    read_older_digest,
)
from transforms.images import ImagePolicy

SHARED: Final = "../"  # how the paths of documents begin that lie above

_AT_ONCE: Final = 16  # files looked at side by side


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a directory of shards holds.

    Attributes:
        dataset: The dataset's name.
        config: The configuration's name; empty where the dataset has but one.
        version: ``major.minor.patch``.
        description: A sentence on the configuration.
        download_size: Bytes downloaded to build it.
        images: What was done to the images of each split.
        class_names: The name of class ``i`` at position ``i``.
        formats: The splits in each format that is there, in the order they are listed.
        counts: How each split came to its number of examples; empty in a manifest of
            an earlier version.
        settings: What else the build was given that decides what is here, by key, as
            text; empty likewise.
        documents: All other documents, by path from the manifest's directory; empty
            likewise. Those above it, ``../README.md``, are shared with the folder's
            other configurations, and are as the one that was built last has them.
        features: What its records have. Not written where it is ``FEATURES``.
        order: How the key that records are ordered by is made of a name. Not written
            where it is the name itself.
    """

    dataset: str
    config: str
    version: str
    description: str
    download_size: int
    images: Mapping[str, ImagePolicy]
    class_names: tuple[str, ...]
    formats: Mapping[str, tuple[SplitFacts, ...]]
    counts: Mapping[str, SplitCounts] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, DocumentFacts] = field(default_factory=dict)
    features: tuple[Feature, ...] = FEATURES
    order: str = Schema(()).order

    @property
    def schema(self) -> Schema:
        """What its records have."""
        return Schema(self.class_names, features=self.features, order=self.order)

    def config_facts(self, format_name: str) -> ConfigFacts:
        """Returns the facts of the configuration in a format."""
        return ConfigFacts(
            self.config or ONLY_CONFIG,
            self.description,
            self.download_size,
            self.formats[format_name],
        )

    def digests(self) -> Iterator[str]:
        """Yields the digests of all files and documents."""
        for splits in self.formats.values():
            for split in splits:
                yield from (file.digest for file in split.files)
        yield from (document.digest for document in self.documents.values())


def encode_manifest(manifest: Manifest) -> bytes:
    """Returns the content of ``manifest.json``."""
    document = asdict(manifest)
    if manifest.features == FEATURES:
        del document["features"]
    if manifest.order == Schema(()).order:
        del document["order"]
    return f"{json.dumps(document, indent=2, ensure_ascii=False)}\n".encode()


def decode_manifest(data: bytes, source: str) -> Manifest:
    """Returns the manifest that ``manifest.json`` holds.

    Args:
        data: Its content.
        source: Where it lies, for the message.

    Raises:
        StorageError: It is no manifest.
    """
    try:
        content = json.loads(data, object_hook=read_older_digest)
        manifest = convert(Manifest, content, "", source)
        assert isinstance(manifest, Manifest)
        for digest in manifest.digests():
            storage.checksum_of(digest)
    except (ValueError, ConfigError) as error:
        raise StorageError(
            f"{source} is not a manifest of a configuration. Remove its folder, or "
            "build the configuration again with --overwrite."
        ) from error
    return manifest


def refuted_files(
    manifest: Manifest, directory: str, format_name: str, *, hashes: bool
) -> list[str]:
    """Returns which files of a directory are not as its manifest says.

    Args:
        manifest: The manifest.
        directory: The directory.
        format_name: The format whose files are looked at, besides the documents.
        hashes: Whether files are read and hashed; else their lengths decide.

    Raises:
        StorageError: A file cannot be read.
    """
    listed = {
        file.name: (file.size, file.digest)
        for split in manifest.formats.get(format_name, ())
        for file in split.files
    } | {
        name: (document.size, document.digest)
        for name, document in manifest.documents.items()
        if not name.startswith(SHARED)
    }

    def is_refuted(item: tuple[str, tuple[int, str]]) -> bool:
        name, (size, digest) = item
        uri = storage.join(directory, name)
        if not storage.exists(uri) or storage.file_info(uri).size != size:
            return True
        return hashes and not storage.has_content(uri, size, digest)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        refuted = pool.map(is_refuted, listed.items())
        return [name for name, wrong in zip(listed, refuted, strict=True) if wrong]
