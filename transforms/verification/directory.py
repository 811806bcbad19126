"""The documents of a dataset's directory, as they are read back."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from PIL import Image

from transforms import storage
from transforms.documents import document_facts
from transforms.errors import StorageError
from transforms.formats import MANIFEST, DocumentFacts
from transforms.images import PILLOW_ERRORS
from transforms.verification.findings import FindingsBuilder

README: Final = "README.md"
STATISTICS: Final = "statistics.json"


class Documents:
    """The documents of one directory, and what is found wrong with them.

    A document that is missing or cannot be read is a problem, and is reported once.
    """

    def __init__(self, directory: str, prefix: str, findings: FindingsBuilder) -> None:
        """Lists the directory.

        Args:
            directory: Where they lie.
            prefix: Where that is below the directory that is verified.
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
        """Returns the path of a file below the directory that is verified."""
        return f"{self._prefix}{name}"

    def add(self, name: str, message: str) -> None:
        """Takes a problem with a document."""
        self._told.add(name)
        self._findings.add(self.path(name), "document", message)

    def check_hash(self, name: str, expected: Sequence[DocumentFacts]) -> None:
        """Compares a document with the hashes that it may have.

        Not where it was reported before: that problem says more than its hash.
        """
        if name in self._told or (data := self.read(name)) is None:
            return
        kinds = dict.fromkeys(storage.checksum_of(e.digest) for e in expected)
        found = [document_facts(data, kind) for kind in kinds]
        if not {*found} & {*expected}:
            known = " or ".join(f"{e.size:,} bytes, {e.digest}" for e in expected)
            self.add(
                name,
                f"It has {len(data):,} bytes, {' or '.join(f.digest for f in found)}, "
                f"and {MANIFEST} says {known}: it was changed since it was built.",
            )

    def add_strangers(self, names: Sequence[str]) -> None:
        """Reports files that look like the dataset's and are not."""
        for name in names:
            self._findings.add(
                self.path(name),
                "file",
                "No document lists it, and a loader may take it for a part of the "
                "dataset. Remove it, or finish the build that wrote it.",
            )

    def compare(self, name: str, expected: Any, found: Any) -> None:
        """Compares a document's content with what it should hold at least."""
        for difference in differences(expected, found):
            self.add(name, f"It differs in {difference}.")

    def read(self, name: str) -> bytes | None:
        """Returns a document's bytes; reports one that can't be read, None then."""
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
        except PILLOW_ERRORS as error:
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
