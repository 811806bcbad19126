"""Writes the documents that make a directory of shards a dataset.

Of each directory one document is written last, and a directory that has it is complete:
``dataset_info.json`` where TFDS's formats lie, ``manifest.json`` in a folder for the
hub. What dead runs left there is removed before.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
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
    SplitCounts,
    SplitFacts,
    loader_line,
)
from transforms.shards import ShardOutput


def published_file(directory: str, name: str, examples: int) -> FileFacts:
    """Returns what is known of a published file, which is read.

    Raises:
        StorageError: It is not there, or can't be read.
    """
    uri = storage.join(directory, name)
    return FileFacts(name, storage.file_info(uri).size, examples, storage.sha256(uri))


_FIGURE: Final = "figure.png"

# Documents do not say where the dataset lies: it may be moved, or uploaded.
_ANY_DATA_DIR: Final = "DATA_DIR"
_ANY_FOLDER: Final = "PATH_OF_THIS_FOLDER"

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
        StorageError: A document can't be written, or the directory has other formats
            with other shards.
    """
    any_format, splits = next(iter(built.items()))
    directory = output.places.directory(any_format)
    # What is being replaced goes in every format, even where no shard was built anew.
    there = [] if output.overwrite else output.places.finished_formats(any_format)
    earlier = [name for name in there if name not in built]
    if earlier:
        info = storage.read_json(output.places.mark(any_format))
        alike = info.get("splits") == tfds.split_documents(splits)
        if not alike or not set(earlier) <= set(FORMATS):
            raise StorageError(
                f"{directory} holds the dataset as {' and '.join(earlier)} too, with "
                "other shards or other examples. Rerun with the flags it was built "
                "with, or with --overwrite to replace it."
            )
    # Loaders take the first unless told otherwise, and not all can read each.
    formats = [name for name in FORMATS if name in (*earlier, *built)]
    known = _built_earlier(facts.name, output, any_format, earlier, splits) | dict(
        built
    )
    ours = {file.name for name in formats for s in known[name] for file in s.files}
    _remove_strangers(directory, ours, lambda name: name.startswith(f"{facts.name}-"))
    config = config_facts(facts, known[formats[0]])
    card = card_html(
        replace(facts, schema=replace(facts.schema, dimensions=False)),
        [config],
        {config.name: _loader_lines(facts, config, formats, _ANY_DATA_DIR)},
        {config.name: _as_data_uri(figure)} if figure else {},
    )
    beside = storage.join(directory.rsplit("/", 2)[0], ".config")
    storage.make_directory(beside)
    storage.publish_bytes(
        storage.join(beside, "metadata.json"), tfds.default_config_document(facts)
    )
    described = {
        "label.labels.txt": tfds.labels_document(facts),
        "features.json": tfds.features_document(facts),
        "card.html": card.encode(),
        **documents,
    }
    info_document = tfds.info_document(facts, formats, splits)
    manifest = _manifest(
        facts,
        output,
        {name: known[name] for name in formats},
        counts,
        described | {MARKS["tfds"]: info_document},
    )
    for name, document in {
        **described,
        MANIFEST: manifest,
        MARKS["tfds"]: info_document,
    }.items():
        storage.publish_bytes(storage.join(directory, name), document)


def _built_earlier(
    dataset: str,
    output: ShardOutput,
    any_format: str,
    earlier: Sequence[str],
    splits: Splits,
) -> dict[str, Splits]:
    """Returns what the directory of a format holds in other formats already.

    Args:
        dataset: The dataset's name.
        output: Where its shards are.
        any_format: One of the formats in the directory.
        earlier: The formats that were there before.
        splits: The splits in a format that was just built; they are the same in each.
    """
    uri = output.places.manifest(any_format)
    known: Mapping[str, Splits] = {}
    if storage.exists(uri):
        known = decode_manifest(storage.read_bytes(uri), uri).formats
    directory = output.places.directory(any_format)
    return {
        name: known[name]
        if name in known
        else _hash_files(dataset, directory, name, splits)  # TFDS built it
        for name in earlier
    }


def _hash_files(
    dataset: str, directory: str, format_name: str, splits: Splits
) -> Splits:
    """Returns splits with the files that they have in another format of TFDS's."""
    name = FORMATS[format_name].file_name
    return tuple(
        replace(
            split,
            files=tuple(
                published_file(
                    directory,
                    name(dataset, split.name, index, len(split.files)),
                    file.examples,
                )
                for index, file in enumerate(split.files)
            ),
        )
        for split in splits
    )


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
            description=facts.config_description,
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
            documents={name: document_facts(data) for name, data in documents.items()},
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
        StorageError: A document can't be written.
    """
    root, directory = (
        output.places.root(format_name),
        output.places.directory(format_name),
    )
    kind = FORMATS[format_name]
    ours = config_facts(facts, splits)
    names = {file.name for split in splits for file in split.files}
    extension = "." + splits[0].files[0].name.rpartition(".")[2]
    _remove_strangers(directory, names, lambda name: name.endswith(extension))
    documents = dict(described) | ({_FIGURE: figure} if figure else {})
    if kind.companions:
        documents |= {
            name: f"{json.dumps(companion, indent=2)}\n".encode()
            for name, companion in kind.companions(facts.name, ours).items()
        }
    configs = _with_neighbours(facts, root, format_name, ours)
    figures = {
        config.name: f"{config.name}/{_FIGURE}"
        for config in configs
        if (figure and config.name == facts.config)
        or storage.exists(storage.join(root, config.name, _FIGURE))
    }
    of_folder = croissant_documents(facts, configs) if kind.typed else {}
    documents |= {SHARED + name: document for name, document in of_folder.items()}
    documents[SHARED + "README.md"] = hub_readme(
        facts,
        configs,
        extension,
        {
            config.name: _loader_lines(facts, config, [format_name], _ANY_FOLDER)
            for config in configs
        },
        figures,
        kind.typed,
    ).encode()
    for name, document in documents.items():
        place = root if name.startswith(SHARED) else directory
        uri = storage.join(place, name.removeprefix(SHARED))
        storage.publish_bytes(uri, document)
    storage.publish_bytes(
        output.places.manifest(format_name),
        _manifest(facts, output, {format_name: splits}, counts, documents),
    )


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
    return [
        loader_line(
            format_name,
            root=root,
            name=facts.name,
            config=config.name,
            version=facts.version,
            split=config.splits[0].name,
        )
        for format_name in formats
    ]


def _as_data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _remove_strangers(
    directory: str, ours: set[str], is_shard: Callable[[str], bool]
) -> None:
    """Removes what dead runs left: unpublished files, shards of another plan."""
    for name in storage.list_names(directory):
        if storage.is_unfinished(name) or (is_shard(name) and name not in ours):
            storage.remove(storage.join(directory, name))
