"""Whether the documents of a dataset can be read, and say what the manifest says."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml
from PIL import Image

from transforms import pillow, storage
from transforms.errors import StorageError
from transforms.facts import ConfigFacts, DocumentFacts, document_facts
from transforms.findings import FindingsBuilder
from transforms.manifest import MANIFEST, SHARED, Manifest, decode_manifest

README: Final = "README.md"
STATISTICS: Final = "statistics.json"
_CROISSANT: Final = "croissant.json"
_FENCE: Final = "---\n"


class Documents:
    """The documents of one directory, and what is found wrong with them.

    A document that can't be had or read is a problem, and is told once.
    """

    def __init__(self, directory: str, prefix: str, findings: FindingsBuilder) -> None:
        """Lists the directory.

        Args:
            directory: Where they lie.
            prefix: Where that is beneath the directory that is verified.
            findings: Takes the problems.

        Raises:
            StorageError: The directory can't be listed.
        """
        self.directory = directory
        self.names = frozenset(storage.list_names(directory))
        self._prefix = prefix
        self._told: set[str] = set()
        self._findings = findings

    def path(self, name: str) -> str:
        """Returns the path of a file beneath the directory that is verified."""
        return f"{self._prefix}{name}"

    def add(self, name: str, message: str) -> None:
        """Takes a problem with a document."""
        self._told.add(name)
        self._findings.add(self.path(name), "document", message)

    def check_hash(self, name: str, expected: Sequence[DocumentFacts]) -> None:
        """Holds a document against the hashes that it may have.

        A problem of it that was told before says more than its hash.
        """
        if name in self._told or (data := self.read(name)) is None:
            return
        found = document_facts(data)
        if found not in expected:
            known = " or ".join(
                f"{e.size:,} bytes, SHA-256 {e.sha256}" for e in expected
            )
            self.add(
                name,
                f"It has {found.size:,} bytes, SHA-256 {found.sha256}, and {MANIFEST} "
                f"says {known}: it was changed since it was built.",
            )

    def add_strangers(self, names: Sequence[str]) -> None:
        """Takes files for problems that look like the dataset's and are not."""
        for name in names:
            self._findings.add(
                self.path(name),
                "file",
                "No document lists it, and a loader may take it for a part of the "
                "dataset. Remove it, or finish the build that wrote it.",
            )

    def compare(self, name: str, expected: Any, found: Any) -> None:
        """Holds a document's content against what it should hold at least."""
        for difference in differences(expected, found):
            self.add(name, f"It differs in {difference}.")

    def read(self, name: str) -> bytes | None:
        """Returns a document's bytes; None where it can't be read, which is told."""
        if name not in self.names:
            self.add(name, "It is missing.")
            return None
        try:
            return storage.read_bytes(storage.join(self.directory, name))
        except StorageError as error:
            self.add(name, str(error))
            return None

    def read_text(self, name: str) -> str | None:
        """Returns a document's text, or None."""
        if (data := self.read(name)) is None:
            return None
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            self.add(name, f"It is no text: byte {error.start:,} is not UTF-8.")
            return None

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Returns the object that a document holds as JSON, or None."""
        if (text := self.read_text(name)) is None:
            return None
        try:
            value = json.loads(text)
        except ValueError as error:
            self.add(name, f"It is no JSON: {error}.")
            return None
        if not isinstance(value, dict):
            self.add(name, "It should hold a JSON object.")
            return None
        return value

    def check_page(self, name: str) -> None:
        """Reads a page to its end."""
        text = self.read_text(name)
        if text is not None and not text.rstrip().endswith("</html>"):
            self.add(name, "It is cut off: it does not end in </html>.")

    def check_figure(self, name: str) -> None:
        """Decodes a figure."""
        if (data := self.read(name)) is None:
            return
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
        except pillow.ERRORS as error:
            self.add(name, f"It is no image that can be decoded: {error}.")


def differences(expected: Any, found: Any, where: str = "") -> Iterator[str]:
    """Yields in what a JSON value is not what is expected, and where.

    An object may have more keys than are expected; a list may not have more entries.

    Example:
        >>> list(differences({"a": [1, 2]}, {"a": [1, 3], "b": 0}))
        ['a.1: expected 2, found 3']
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, value in expected.items():
            yield from differences(value, found.get(key), f"{where}.{key}".strip("."))
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        if len(expected) != len(found):
            length = f"expected {len(expected):,} entries, found {len(found):,}"
            yield f"{where or 'all'}: {length}"
            return
        for position, (ours, theirs) in enumerate(zip(expected, found, strict=True)):
            yield from differences(ours, theirs, f"{where}.{position}".strip("."))
    elif expected != found:
        yield f"{where}: expected {expected!r}, found {found!r}"


def check_hashes(here: Documents, manifest: Manifest) -> None:
    """Holds the documents of a manifest's directory against their hashes."""
    for name, expected in manifest.documents.items():
        if not name.startswith(SHARED):
            here.check_hash(name, [expected])


def check_shared_hashes(root: Documents, manifests: Sequence[Manifest]) -> None:
    """Holds the documents of a folder against the hashes of its configurations.

    Each configuration wrote them when it was built, the last one as they are now. Where
    an earlier version wrote a manifest, that may have been the last one.

    Args:
        root: The folder.
        manifests: Those of all its configurations.
    """
    if not all(manifest.documents for manifest in manifests):
        return
    names = {name for manifest in manifests for name in manifest.documents}
    for name in sorted(name for name in names if name.startswith(SHARED)):
        known = [m.documents[name] for m in manifests if name in m.documents]
        root.check_hash(name.removeprefix(SHARED), list(dict.fromkeys(known)))


def read_neighbours(root: Documents, seen: set[str]) -> list[Manifest | None]:
    """Returns the manifests of a folder's other configurations."""
    found: list[Manifest | None] = []
    for name in sorted(root.names):
        directory = storage.join(root.directory, name)
        uri = storage.join(directory, MANIFEST)
        if directory not in seen and storage.exists(uri):
            try:
                found.append(decode_manifest(storage.read_bytes(uri), uri))
            except StorageError:  # a verification of that configuration tells it
                found.append(None)
    return found


def check_features(here: Documents, class_names: Sequence[str]) -> None:
    """Holds TFDS's ``features.json`` against the class names."""
    if (found := here.read_json("features.json")) is not None:
        number = {"classLabel": {"numClasses": str(len(class_names))}}
        expected = {"featuresDict": {"features": {"label": number}}}
        here.compare("features.json", expected, found)


def check_hub_folder(
    root: Documents,
    configs: Mapping[str, ConfigFacts],
    class_names: Sequence[str],
    extension: str,
    typed: bool,
) -> None:
    """Holds what a hub folder says of its configurations against their manifests.

    Args:
        root: The folder.
        configs: Its configurations.
        class_names: The classes of all of them.
        extension: What the data files' names end in.
        typed: Whether the README tells columns and sizes, and Croissant is there.
    """
    head = _read_head(root)
    if head is not None:
        told = _by_key("config_name", head.get("configs"))
        for name in sorted(told.keys() - configs.keys()):
            root.add(README, f"It lists {name}, which has no manifest in its folder.")
        sizes = _by_key("config_name", head.get("dataset_info"))
        for name, config in configs.items():
            paths = [
                {"split": split.name, "path": f"{name}/{split.name}-*{extension}"}
                for split in config.splits
            ]
            root.compare(README, {name: {"data_files": paths}}, told)
            if typed:
                root.compare(README, {name: _sizes(config)}, sizes)
    if typed and (found := root.read_json(_CROISSANT)) is not None:
        sets = _by_key("@id", found.get("recordSet"))
        classes = [
            {"classes/label": label, "classes/name": name}
            for label, name in enumerate(class_names)
        ]
        expected = {"classes": {"data": classes}} | {
            name: {"name": name} for name in configs
        }
        root.compare(_CROISSANT, expected, sets)


def _read_head(root: Documents) -> dict[str, Any] | None:
    """Returns what the YAML at the beginning of the README holds, or None."""
    if (text := root.read_text(README)) is None:
        return None
    parts = text.split(_FENCE, 2)
    try:
        head = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    except yaml.YAMLError as error:
        root.add(README, f"The YAML at its beginning can't be read: {error}.")
        return None
    if not isinstance(head, dict):
        root.add(README, "It does not begin with the YAML by which loaders go.")
        return None
    return head


def _by_key(key: str, entries: Any) -> dict[str, Any]:
    """Returns the objects of a list by what they have under a key."""
    if not isinstance(entries, list):
        return {}
    return {str(entry.get(key)): entry for entry in entries if isinstance(entry, dict)}


def _sizes(config: ConfigFacts) -> dict[str, Any]:
    """Returns the numbers that the README has of a configuration."""
    return {
        "splits": [
            {
                "name": split.name,
                "num_bytes": split.example_bytes,
                "num_examples": split.examples,
            }
            for split in config.splits
        ],
        "download_size": sum(f.size for split in config.splits for f in split.files),
        "dataset_size": sum(split.example_bytes for split in config.splits),
    }
