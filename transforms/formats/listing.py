"""What a published dataset lists: files, splits and configurations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One published file.

    Attributes:
        name: Its name in its directory.
        size: Its length in bytes.
        examples: Number of its records.
        digest: Its digest, such as ``blake3:af13…``.
    """

    name: str
    size: int
    examples: int
    digest: str


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """One published document.

    Attributes:
        size: Its length in bytes.
        digest: Its digest, such as ``blake3:af13…``.
    """

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """One split in one format.

    Attributes:
        name: The split's name.
        examples: Number of its records.
        example_bytes: Sum of their lengths as serialised tf.train.Examples, whatever
            the format: the size that TFDS gives a split.
        files: Its files in order.
    """

    name: str
    examples: int
    example_bytes: int
    files: tuple[FileFacts, ...]


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """How a split came to its number of examples.

    It has ``min(E - missing, limit) - rejected`` of them, where E is the number that it
    should have.

    Attributes:
        members: Number of images in its archive.
        missing_members: How many fewer that is than the configuration states.
        missing: Number of images that the subset list names, draws ask of classes, or
            the configuration states, and that are not there.
        limit: Most images that were taken, the first in archive order; None for all.
        rejected: Number of images that were left out as bad.
    """

    members: int = 0
    missing_members: int = 0
    missing: int = 0
    limit: int | None = None
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """One finished configuration in one format.

    Attributes:
        name: The configuration's name.
        description: A sentence on it.
        download_size: Bytes downloaded to build it.
        splits: Its splits in the order they are listed.
    """

    name: str
    description: str
    download_size: int
    splits: tuple[SplitFacts, ...]


def read_older_digest(value: Mapping[str, Any]) -> dict[str, Any]:
    """Returns JSON of ``FileFacts`` or ``DocumentFacts`` as it is written now.

    Up to version 0.2.0 the key was ``sha256`` and had the digits alone. Other JSON is
    returned as it is.
    """
    facts = dict(value)
    if "size" in facts and isinstance(facts.get("sha256"), str):
        facts["digest"] = f"sha256:{facts.pop('sha256')}"
    return facts
