"""Writes the documents that make a directory of shards a dataset.

Of each directory one document is written last, and a directory that has it is complete:
``dataset_info.json`` where TFDS's formats lie, ``manifest.json`` in a folder for the
hub. What dead runs left there is removed before.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from transforms import storage
from transforms.documents import tfds
from transforms.documents.card import card_html
from transforms.documents.croissant import croissant_documents
from transforms.documents.facts import DatasetFacts, config_facts, document_facts
from transforms.documents.hub import hub_readme
from transforms.documents.manifest import (
    SHARED,
    Manifest,
    decode_manifest,
    encode_manifest,
)
from transforms.errors import StorageError
from transforms.formats import (
    FORMATS,
    MANIFEST,
    MARKS,
    ConfigFacts,
    FileFacts,
    Places,
    SplitCounts,
    SplitFacts,
    loader_line,
)
from transforms.shards import ShardOutput


def published_file(
    directory: str, name: str, examples: int, checksum: storage.Checksum
) -> FileFacts:
    """Returns what is known of a published file, which is read.

    Raises:
        StorageError: It is not there, or cannot be read.
    """
    uri = storage.join(directory, name)
    digest = storage.file_digest(uri, checksum)
    return FileFacts(name, storage.file_info(uri).size, examples, digest)


_FIGURE: Final = "figure.png"

# Documents do not say where the dataset lies: it may be moved, or uploaded.
_ANY_DATA_DIR: Final = "DATA_DIR"
_ANY_FOLDER: Final = "PATH_OF_THIS_FOLDER"
_PLACES: Final = {
    _ANY_DATA_DIR: "DATA_DIR is the --data_dir of the build.",
    _ANY_FOLDER: "PATH_OF_THIS_FOLDER is the folder that this file lies in.",
}

Splits = tuple[SplitFacts, ...]


def write_tfds_documents(
    facts: DatasetFacts,
    output: ShardOutput,
    built: Mapping[str, Splits],
    counts: Mapping[str, SplitCounts],
    figure: bytes | None,
    documents: Mapping[str, bytes],
) -> None:
    """Writes what lies beside TFDS's formats, which share a directory.

    Args:
        facts: What is said of the dataset.
        output: Where its shards are.
        built: The splits in each format that was just built.
        counts: How each split came to its number of examples.
        figure: A picture of the first examples, as a PNG.
        documents: What each directory gets, by name.

    Raises:
        StorageError: A document cannot be written, or the directory has other formats
            with other shards.
    """
    splits = next(iter(built.values()))
    there = _built_earlier(output, built) | dict(built)
    # Loaders take the first unless another is named, and not all can read each.
    formats = {name: there[name] for name in FORMATS if name in there}
    directory = output.places.directory(next(iter(built)))
    ours = {file.name for of in formats.values() for s in of for file in s.files}
    _remove_strangers(output.places, next(iter(built)), ours)
    if beside := output.places.beside(next(iter(built))):
        storage.make_directory(beside)
        storage.publish_bytes(
            storage.join(beside, "metadata.json"), tfds.default_config_document(facts)
        )
    described = {
        **tfds.labels_documents(facts),
        "features.json": tfds.features_document(facts),
        "card.html": _card(facts, formats, figure),
        **documents,
    }
    info = {MARKS["tfds"]: tfds.info_document(facts, list(formats), splits)}
    manifest = _manifest(facts, output, formats, counts, described | info)
    for name, document in (described | {MANIFEST: manifest} | info).items():
        storage.publish_bytes(storage.join(directory, name), document)


def _built_earlier(
    output: ShardOutput, built: Mapping[str, Splits]
) -> dict[str, Splits]:
    """Returns what a directory of TFDS's holds already, in formats that it keeps.

    Args:
        output: Where the dataset's shards are.
        built: The splits in each format that was just built; the same in each.

    Raises:
        StorageError: They have other shards, or cannot be read.
    """
    if output.overwrite:  # it goes in every format, even where no shard was built again
        return {}
    any_format, splits = next(iter(built.items()))
    places = output.places
    there = places.finished_formats(any_format)
    earlier = [name for name in there if name not in built]
    if not earlier:
        return {}
    directory = places.directory(any_format)
    info = storage.read_json(places.mark(any_format))
    alike = info.get("splits") == tfds.split_documents(splits)
    if not alike or not set(earlier) <= set(FORMATS):
        raise StorageError(
            f"{directory} holds the dataset as {' and '.join(earlier)} too, with "
            "other shards or other examples. Rerun with the flags it was built "
            "with, or with --overwrite to replace it."
        )
    uri = places.manifest(any_format)
    known: Mapping[str, Splits] = {}
    if storage.exists(uri):
        known = decode_manifest(storage.read_bytes(uri), uri).formats
    return {
        name: known[name]
        if name in known
        else _hash_files(output, name, splits)  # TFDS built it
        for name in earlier
    }


def _hash_files(output: ShardOutput, format_name: str, splits: Splits) -> Splits:
    """Returns splits with the files that they have in another format of TFDS's."""
    places, name = output.places, FORMATS[format_name].codec.file_name
    directory = places.directory(format_name)
    return tuple(
        replace(
            split,
            files=tuple(
                published_file(
                    directory,
                    name(places.dataset, split.name, index, len(split.files)),
                    file.examples,
                    output.checksum,
                )
                for index, file in enumerate(split.files)
            ),
        )
        for split in splits
    )


def _card(
    facts: DatasetFacts, formats: Mapping[str, Splits], figure: bytes | None
) -> bytes:
    """Returns ``card.html``, of a directory that has these splits in these formats."""
    config = config_facts(facts, next(iter(formats.values())))
    return card_html(
        facts,
        [config],
        {config.name: _loader_lines(facts, config, list(formats), _ANY_DATA_DIR)},
        {config.name: _as_data_uri(figure)} if figure else {},
    ).encode()


def _manifest(
    facts: DatasetFacts,
    output: ShardOutput,
    formats: Mapping[str, Splits],
    counts: Mapping[str, SplitCounts],
    documents: Mapping[str, bytes],
) -> bytes:
    """Returns the manifest.

    Args:
        facts: What is said of the dataset.
        output: Where its shards are.
        formats: The splits in each format that the directory has.
        counts: How each split came to its number of examples.
        documents: All other documents, by path from its directory.
    """
    unlike = tuple(f"formats.{name}." for name in FORMATS if name not in formats)
    return encode_manifest(
        Manifest(
            dataset=facts.name,
            config=facts.config,
            version=facts.version,
            description=facts.about.config_description,
            download_size=facts.download_size,
            images={split: output.images[split] for split in facts.splits},
            class_names=facts.schema.class_names,
            formats=formats,
            counts=counts,
            settings={
                key: value
                for key, value in facts.settings.items()
                if not key.startswith(unlike)
            },
            documents={
                name: document_facts(data, output.checksum)
                for name, data in documents.items()
            },
            features=facts.schema.features,
            order=facts.schema.order,
        )
    )


def write_hub_documents(
    facts: DatasetFacts,
    output: ShardOutput,
    format_name: str,
    splits: Splits,
    counts: Mapping[str, SplitCounts],
    figure: bytes | None,
    described: Mapping[str, bytes],
) -> None:
    """Writes what lies in the folder of one of the hub's formats.

    Args:
        facts: What is said of the dataset.
        output: Where its shards are.
        format_name: The format.
        splits: The splits that were just built.
        counts: How each split came to its number of examples.
        figure: A picture of the first examples, as a PNG.
        described: What each directory gets, by name.

    Raises:
        StorageError: A document cannot be written.
    """
    root = output.places.root(format_name)
    directory = output.places.directory(format_name)
    ours = config_facts(facts, splits)
    names = {file.name for split in splits for file in split.files}
    _remove_strangers(output.places, format_name, names)
    documents = dict(described) | ({_FIGURE: figure} if figure else {})
    if companions := FORMATS[format_name].companions:
        documents |= {
            name: f"{json.dumps(companion, indent=2)}\n".encode()
            for name, companion in companions(
                facts.name, ours, facts.shown_classes
            ).items()
        }
    configs = _with_neighbours(facts, root, format_name, ours)
    figures = {
        config.name: f"{config.name}/{_FIGURE}"
        for config in configs
        if (figure and config.name == ours.name)
        or storage.exists(storage.join(root, config.name, _FIGURE))
    }
    shared = _shared_documents(facts, format_name, configs, figures)
    documents |= {SHARED + name: document for name, document in shared.items()}
    for name, document in documents.items():
        place = root if name.startswith(SHARED) else directory
        uri = storage.join(place, name.removeprefix(SHARED))
        storage.publish_bytes(uri, document)
    storage.publish_bytes(
        output.places.manifest(format_name),
        _manifest(facts, output, {format_name: splits}, counts, documents),
    )


def _shared_documents(
    facts: DatasetFacts,
    format_name: str,
    configs: Sequence[ConfigFacts],
    figures: Mapping[str, str],
) -> dict[str, bytes]:
    """Returns what the configurations of a folder for the hub share, by name.

    Args:
        facts: What is said of the dataset.
        format_name: The folder's format.
        configs: What it has, the default one first.
        figures: By configuration, the address of its figure; it may lack some.
    """
    kind = FORMATS[format_name]
    loaders = {
        config.name: _loader_lines(facts, config, [format_name], _ANY_FOLDER)
        for config in configs
    }
    readme = hub_readme(facts, configs, kind.pattern, loaders, figures, kind.typed)
    croissant = croissant_documents(facts, configs) if kind.typed else {}
    return {**croissant, "README.md": readme.encode()}


def _with_neighbours(
    facts: DatasetFacts, root: str, format_name: str, ours: ConfigFacts
) -> list[ConfigFacts]:
    """Returns the configurations of a folder, the default one first."""
    configs = {ours.name: ours}
    for name in storage.list_names(root):
        mark = storage.join(root, name, MARKS["hub"])
        if name != ours.name and storage.exists(mark):
            manifest = decode_manifest(storage.read_bytes(mark), mark)
            if format_name not in manifest.formats:
                raise StorageError(
                    f"{mark} lists no {format_name}. Remove its folder, or build the "
                    "configuration again with --overwrite."
                )
            configs[name] = manifest.config_facts(format_name)
    return sorted(
        configs.values(), key=lambda c: (c.name != facts.default_config, c.name)
    )


def _loader_lines(
    facts: DatasetFacts, config: ConfigFacts, formats: Sequence[str], root: str
) -> list[str]:
    lines = [
        loader_line(
            format_name,
            root=root,
            name=facts.name,
            config=facts.config and config.name,
            version=facts.version,
            split=config.splits[0].name,
        )
        for format_name in formats
    ]
    imports = dict.fromkeys(i for name in formats for i in FORMATS[name].imports)
    return [*imports, "", f"# {_PLACES[root]}", *lines]


def _as_data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _remove_strangers(places: Places, format_name: str, ours: set[str]) -> None:
    """Removes what dead runs left: unpublished files, shards of another plan."""
    directory, kind = places.directory(format_name), FORMATS[format_name]
    for name in storage.list_names(directory):
        strange = name not in ours and kind.is_data_file(places.dataset, name)
        if strange or storage.is_unfinished(name):
            storage.remove(storage.join(directory, name))
