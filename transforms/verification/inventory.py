"""What the documents of a directory say it holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from transforms.formats import Schema, SplitCounts
from transforms.images import ImagePolicy
from transforms.verification.findings import Findings

# How far images are looked at: not at all, their headers, or all of them decoded.
ImageCheck = Literal["none", "header", "decode"]


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A file of a dataset, and what the dataset's documents say of it.

    Attributes:
        uri: Where it lies.
        path: The same below the directory that is verified, for messages.
        config: The configuration it belongs to.
        format: Its format, a key of ``FORMATS``.
        split: The split it belongs to.
        index: Its position among the split's files.
        examples: Number of its records.
        size: Its length in bytes; None where no manifest says it.
        digest: Its digest, such as ``blake3:af13…``; None where no manifest says it.
        images: What was done to its images.
        schema: What its records have.
    """

    uri: str
    path: str
    config: str
    format: str
    split: str
    index: int
    examples: int
    size: int | None
    digest: str | None
    images: ImagePolicy
    schema: Schema = field(default_factory=lambda: Schema(()))


@dataclass(frozen=True, slots=True)
class HeldSplit:
    """A split in one format, as the documents have it.

    Attributes:
        config: The configuration's name.
        format: The format, a key of ``FORMATS``.
        name: The split's name.
        examples: Number of its records.
        example_bytes: Sum of their lengths as serialised tf.train.Examples.
        files: Its files in order.
        source: The document that says so, as a path below the directory.
        statistics: What ``statistics.json`` has of it; empty where there is none.
    """

    config: str
    format: str
    name: str
    examples: int
    example_bytes: int
    files: tuple[ShardFile, ...]
    source: str
    statistics: Mapping[str, Any]

    @property
    def schema(self) -> Schema:
        """What its records have."""
        return self.files[0].schema if self.files else Schema(())


@dataclass(frozen=True, slots=True)
class Holding:
    """A configuration as a directory holds it.

    Attributes:
        dataset: The dataset's name.
        config: The configuration's name; empty where the dataset has but one.
        version: ``major.minor.patch``.
        class_names: The name of class ``i`` at position ``i``; empty where no document
            has them.
        splits: Each split in each format.
        hashed: Whether a manifest knows the files' hashes.
        counts: How each split came to its number of examples, as far as the manifest
            says.
        documented: Whether a manifest knows the documents' hashes.
    """

    dataset: str
    config: str
    version: str
    class_names: tuple[str, ...]
    splits: tuple[HeldSplit, ...]
    hashed: bool
    counts: Mapping[str, SplitCounts] = field(default_factory=dict)
    documented: bool = False

    @property
    def title(self) -> str:
        """The configuration's name, or that of a dataset that has but one."""
        return self.config or self.dataset

    def ordered_by(self, order: str) -> "Holding":
        """Returns it with what records are ordered by, as ``planning.order`` has it."""

        def ordered(file: ShardFile) -> ShardFile:
            return replace(file, schema=replace(file.schema, order=order))

        splits = [
            replace(split, files=tuple(map(ordered, split.files)))
            for split in self.splits
        ]
        return replace(self, splits=tuple(splits))


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a directory holds.

    Attributes:
        holdings: Its configurations.
        findings: What is wrong with its documents, and which files do not belong to it.
    """

    holdings: tuple[Holding, ...]
    findings: Findings
