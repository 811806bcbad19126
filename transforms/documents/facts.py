"""The facts of a finished dataset: the one source of all its documents.

``DatasetFacts`` is what somebody decided or wrote; ``ConfigFacts`` is what was counted.
TFDS's metadata, the card, Croissant and the loaders' indexes are made of the two, so
they cannot disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from transforms import storage
from transforms.formats import (
    ONLY_CONFIG,
    ConfigFacts,
    DocumentFacts,
    Schema,
    SplitFacts,
)


@dataclass(frozen=True, slots=True)
class License:
    """The terms under which the images may be used.

    Attributes:
        name: A short name.
        url: Where the terms stand.
        terms: What they allow and forbid, in plain words; may be empty.
    """

    name: str
    url: str
    terms: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a configuration states of the dataset, for people and for TFDS.

    Attributes:
        title: The name that people read; the dataset's if empty.
        description: A few sentences on the dataset.
        config_description: A sentence on the configuration.
        homepage: The dataset's web page.
        license: The terms of use.
        creators: Who made the dataset.
        published: The day it was published, ``YYYY-MM-DD``.
        manual_download: What to get by hand, from where, and where to put it.
        module: The TFDS module that builds the dataset too.
        keywords: What it is about, in a word or two each.
        release_notes: A note by version.
        default_config: The configuration that the dataset's bare name stands for; the
            one that is built if empty.
    """

    title: str = ""
    description: str
    config_description: str = ""
    homepage: str = ""
    license: License = License("not stated", "")
    creators: tuple[str, ...] = ()
    published: str = ""
    manual_download: str = ""
    module: str = ""
    keywords: tuple[str, ...] = ("images", "image classification")
    release_notes: Mapping[str, str] = field(default_factory=dict)
    default_config: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFacts:
    """What is known of a dataset besides what is counted.

    Attributes:
        name: The dataset's name.
        config: The configuration's name; empty where the dataset has but one.
        version: ``major.minor.patch``.
        about: Its description.
        citation: BibTeX entries.
        schema: What its records have.
        download_size: Bytes that TFDS would download: lists, and archives that are
            free for all.
        splits: The splits in the order they are listed.
        settings: What else the build was given that decides what is in the dataset,
            by key, as text.
        class_titles: What people call a class, by its name, as far as that is known.
        listed: Splits that are cut down by a recipe; what it came to is a document.
    """

    name: str
    config: str
    version: str
    about: Description
    citation: str
    schema: Schema
    download_size: int
    splits: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    class_titles: Mapping[str, str] = field(default_factory=dict)
    listed: tuple[str, ...] = ()

    @property
    def shown_classes(self) -> tuple[str, ...]:
        """What a class is called where people read it, such as ``tench (n01440764)``.

        Several classes may have one title, so the name goes with it.
        """
        return tuple(
            f"{self.class_titles[name]} ({name})"
            if name in self.class_titles
            else f"{name} ({label})"
            for label, name in enumerate(self.schema.class_names)
        )

    @property
    def default_config(self) -> str:
        """The configuration that the dataset's bare name stands for."""
        return self.about.default_config or self.config or ONLY_CONFIG


def document_facts(data: bytes, checksum: storage.Checksum) -> DocumentFacts:
    """Returns the size and the digest of a document."""
    return DocumentFacts(len(data), storage.bytes_digest(data, checksum))


def config_facts(facts: DatasetFacts, splits: tuple[SplitFacts, ...]) -> ConfigFacts:
    """Returns the facts of the configuration that was built."""
    return ConfigFacts(
        facts.config or ONLY_CONFIG,
        facts.about.config_description,
        facts.download_size,
        splits,
    )


def class_text(label: int, shown_classes: Sequence[str]) -> str:
    """Returns how a label is shown, such as ``tench (n01440764)``."""
    if label < 0:
        return "no label"
    return shown_classes[label] if label < len(shown_classes) else f"class {label}"
