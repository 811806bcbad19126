"""Makes the published shards a dataset: its documents, written after the last shard.

Of each directory one document is written last, and a directory that has it is complete:
``dataset_info.json`` where TFDS's formats lie, ``manifest.json`` in a folder for the
hub. What dead runs left there is removed before.
"""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms import storage, tfds
from transforms.card import card_html
from transforms.duplicates import find_duplicates
from transforms.errors import StorageError
from transforms.facts import ConfigFacts, DatasetFacts, SplitFacts, config_facts
from transforms.figure import draw_figure
from transforms.formats import FORMATS, loader_line
from transforms.hub import decode_manifest, encode_manifest, hub_readme
from transforms.output import MARKS, ShardOutput, finished_formats, published_file
from transforms.quarantine import FILE_NAME, check_rejected, write_quarantine
from transforms.review import first_examples, review_dataset
from transforms.shards import ShardReport
from transforms.statistics import statistics_document
from transforms.tally import ReadSource, Tally, add_up, open_sources

_FIGURE: Final = "figure.png"

# Documents do not say where the dataset lies: it may be moved, or uploaded.
_ANY_DATA_DIR: Final = "DATA_DIR"
_ANY_FOLDER: Final = "PATH_OF_THIS_FOLDER"

Splits = tuple[SplitFacts, ...]


def write_metadata(
    facts: DatasetFacts,
    output: ShardOutput,
    reports: Iterable[ShardReport],
    max_rejects: float,
) -> Tally:
    """Writes the documents that make directories of shards a dataset.

    Args:
        facts: What is said of the dataset.
        output: Where its shards are.
        reports: One per shard, in any order.
        max_rejects: Most images that may be left out; below 1, a share of them.

    Returns:
        What the shards came to.

    Raises:
        BuildError: An image is neither written nor rejected.
        ImageError: Too many images were rejected.
        StorageError: A document can't be written, a shard has no report, or the
            directory has other formats with other shards.
    """
    tally = add_up(facts.splits, output.formats, reports)
    with open_sources(tally.archives) as read:
        _set_rejected_aside(output, tally, read, max_rejects)
        figure = _draw_figure(facts, output, tally)
        documents = _describe(facts, output, tally, read)
    in_tfds_style = {
        name: splits
        for name, splits in tally.splits.items()
        if FORMATS[name].layout == "tfds"
    }
    if in_tfds_style:
        _write_tfds_documents(facts, output, in_tfds_style, figure, documents)
    for name, splits in tally.splits.items():
        if FORMATS[name].layout == "hub":
            _write_hub_documents(facts, output, name, splits, figure, documents)
    for name in tally.splits:
        storage.remove_tree(output.reports(name))
    return tally


def _set_rejected_aside(
    output: ShardOutput, tally: Tally, read: ReadSource, max_rejects: float
) -> None:
    directory = output.quarantine()
    uri = storage.join(directory, FILE_NAME)
    if any(tally.rejected.values()):
        storage.make_directory(directory)
        write_quarantine(uri, tally.rejected, read)
        check_rejected(tally.rejected, tally.wanted, max_rejects, uri)
    else:
        storage.remove_tree(directory)  # of an earlier run


def _describe(
    facts: DatasetFacts, output: ShardOutput, tally: Tally, read: ReadSource
) -> dict[str, bytes]:
    """Returns the documents that each directory gets, whatever its format."""
    duplicates = find_duplicates(
        {split: counted.hashes for split, counted in tally.statistics.items()}
    )
    statistics = statistics_document(tally.statistics, duplicates)
    for split, rejected in tally.rejected.items():
        reasons = Counter(image.reason for image in rejected)
        statistics["splits"][split]["rejected"] = dict(sorted(reasons.items()))
    return {
        "statistics.json": json.dumps(statistics).encode(),
        "report.html": review_dataset(facts, output, tally, statistics, read),
    }


def _draw_figure(
    facts: DatasetFacts, output: ShardOutput, tally: Tally
) -> bytes | None:
    """Returns a picture of the first examples."""
    examples = first_examples(output, tally, facts.splits[0])
    return draw_figure(examples, facts.schema.class_names)


def _write_tfds_documents(
    facts: DatasetFacts,
    output: ShardOutput,
    built: Mapping[str, Splits],
    figure: bytes | None,
    documents: Mapping[str, bytes],
) -> None:
    any_format, splits = next(iter(built.items()))
    directory = output.directory(any_format)
    # What is being replaced goes in every format, even where no shard was built anew.
    there = [] if output.overwrite else finished_formats(output, any_format)
    earlier = [name for name in there if name not in built]
    if earlier:
        info = storage.read_json(output.mark(any_format))
        alike = info.get("splits") == tfds.split_documents(splits)
        if not alike or not set(earlier) <= set(FORMATS):
            raise StorageError(
                f"{directory} holds the dataset as {' and '.join(earlier)} too, with "
                "other shards or other examples. Rerun with the flags it was built "
                "with, or with --overwrite to replace it."
            )
    # Loaders take the first unless told otherwise, and not all can read each.
    formats = [name for name in FORMATS if name in (*earlier, *built)]
    ours = {
        FORMATS[name].file_name(facts.name, split.name, index, len(split.files))
        for name in formats
        for split in splits
        for index in range(len(split.files))
    }
    _remove_strangers(directory, ours, lambda name: name.startswith(f"{facts.name}-"))
    if formats[0] in earlier:
        splits = _as_format(facts.name, directory, formats[0], splits)
    else:
        splits = built[formats[0]]
    config = config_facts(facts, splits)
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
    for name, document in {
        "label.labels.txt": tfds.labels_document(facts),
        "features.json": tfds.features_document(facts),
        "card.html": card.encode(),
        **documents,
        MARKS["tfds"]: tfds.info_document(facts, formats, splits),
    }.items():
        storage.publish_bytes(storage.join(directory, name), document)


def _as_format(
    dataset: str, directory: str, format_name: str, splits: Splits
) -> Splits:
    """Returns splits with the files that they have in another format."""
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


def _write_hub_documents(
    facts: DatasetFacts,
    output: ShardOutput,
    format_name: str,
    splits: Splits,
    figure: bytes | None,
    described: Mapping[str, bytes],
) -> None:
    root, directory = output.root(format_name), output.directory(format_name)
    kind = FORMATS[format_name]
    ours = config_facts(facts, splits)
    names = {file.name for split in splits for file in split.files}
    extension = "." + splits[0].files[0].name.rpartition(".")[2]
    _remove_strangers(directory, names, lambda name: name.endswith(extension))
    if figure:
        storage.publish_bytes(storage.join(directory, _FIGURE), figure)
    for name, document in described.items():
        storage.publish_bytes(storage.join(directory, name), document)
    configs = _with_neighbours(facts, root, ours)
    documents = dict(kind.documents(facts, configs)) if kind.documents else {}
    documents["README.md"] = hub_readme(
        facts,
        configs,
        extension,
        {
            config.name: _loader_lines(facts, config, [format_name], _ANY_FOLDER)
            for config in configs
        },
        {
            config.name: f"{config.name}/{_FIGURE}"
            for config in configs
            if storage.exists(storage.join(root, config.name, _FIGURE))
        },
        kind.typed,
    ).encode()
    for name, document in documents.items():
        storage.publish_bytes(storage.join(root, name), document)
    storage.publish_bytes(output.mark(format_name), encode_manifest(facts, ours))


def _with_neighbours(
    facts: DatasetFacts, root: str, ours: ConfigFacts
) -> list[ConfigFacts]:
    """Returns the configurations of a folder, the default one first."""
    configs = {ours.name: ours}
    for name in storage.list_names(root):
        mark = storage.join(root, name, MARKS["hub"])
        if name != ours.name and storage.exists(mark):
            configs[name] = decode_manifest(storage.read_bytes(mark), mark)
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


@dataclass
class WriteMetadata(beam.PTransform):  # type: ignore[misc]
    """Writes the documents of the dataset when every shard is there.

    Attributes:
        facts: What is said of the dataset.
        output: Where its shards are.
        max_rejects: Most images that may be left out; below 1, a share of them.
    """

    facts: DatasetFacts
    output: ShardOutput
    max_rejects: float

    def expand(self, reports: beam.PCollection[ShardReport]) -> beam.PCollection[str]:
        """Gathers the reports; gives the name of each format that is finished."""
        return (
            reports
            | "KeyByDataset" >> beam.Map(self._key_by_dataset)
            | "GroupReports" >> beam.GroupByKey()
            | "Write" >> beam.FlatMap(self._write)
        )

    def _key_by_dataset(self, report: ShardReport) -> tuple[str, ShardReport]:
        return self.output.config, report

    def _write(self, group: tuple[str, Iterable[ShardReport]]) -> list[str]:
        _, reports = group
        tally = write_metadata(self.facts, self.output, reports, self.max_rejects)
        for split, statistics in tally.statistics.items():
            count = {
                "examples": statistics.examples,
                "example_bytes": statistics.example_bytes,
                "rejected": len(tally.rejected[split]),
            } | {f"repaired_{k}": n for k, n in statistics.counts["repaired"].items()}
            for name, number in count.items():
                Metrics.counter(split, name).inc(number)
        for name, splits in tally.splits.items():
            for facts in splits:
                size = sum(file.size for file in facts.files)
                Metrics.counter(facts.name, f"{name}_files").inc(len(facts.files))
                Metrics.counter(facts.name, f"{name}_bytes").inc(size)
        return list(tally.splits)
