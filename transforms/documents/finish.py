"""Makes the published shards a dataset, when the last one is there.

Counts have to add up, bad images may not be too many; then the documents are written.
"""

import json
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from transforms import storage
from transforms.documents.directories import write_hub_documents, write_tfds_documents
from transforms.documents.facts import DatasetFacts
from transforms.documents.figure import draw_figure
from transforms.documents.pages import REPORT
from transforms.documents.quarantine import FILE_NAME, check_rejected, write_quarantine
from transforms.documents.report import first_examples, review_dataset
from transforms.formats import FORMATS, Layout
from transforms.shards import (
    ReadSource,
    ShardOutput,
    ShardReport,
    Tally,
    add_up,
    open_sources,
)
from transforms.statistics import (
    find_duplicates,
    find_equal_pixels,
    statistics_document,
)


def finish_dataset(
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
        StorageError: A document cannot be written, a shard has no report, or the
            directory has other formats with other shards.
    """
    tally = add_up(facts.splits, output.formats, reports)
    with open_sources(tally.archives) as read, ThreadPoolExecutor(1) as other:
        _set_rejected_aside(output, tally, read, max_rejects)
        drawing = other.submit(_draw_figure, facts, output, tally)
        statistics = _count(tally)
        pages = review_dataset(facts, output, tally, statistics, read)
        figure = drawing.result()
    lists = {list_name(split): _list_images(tally, split) for split in facts.listed}
    documents: dict[Layout, dict[str, bytes]] = {
        layout: {
            "statistics.json": json.dumps(statistics).encode(),
            REPORT: report,
            **lists,
        }
        for layout, report in pages.items()
    }
    in_tfds_style = {
        name: splits
        for name, splits in tally.splits.items()
        if FORMATS[name].layout == "tfds"
    }
    if in_tfds_style:
        write_tfds_documents(
            facts, output, in_tfds_style, tally.counts, figure, documents["tfds"]
        )
    for name, splits in tally.splits.items():
        if FORMATS[name].layout == "hub":
            write_hub_documents(
                facts, output, name, splits, tally.counts, figure, documents["hub"]
            )
    for name in tally.splits:
        storage.remove_tree(output.places.reports(name))
    return tally


def list_name(split: str) -> str:
    """Returns the name of the list of a split's images."""
    return f"subset-{split}.txt"


def _list_images(tally: Tally, split: str) -> bytes:
    """Returns the names of a split's images in order, of rejected ones too.

    As a list of a configuration it selects the same.
    """
    names = tally.statistics[split].hashes["name"].to_pylist()
    names += [image.source.name for image in tally.rejected[split]]
    return "".join(f"{name}\n" for name in sorted(names)).encode()


def _set_rejected_aside(
    output: ShardOutput, tally: Tally, read: ReadSource, max_rejects: float
) -> None:
    directory = output.places.quarantine()
    uri = storage.join(directory, FILE_NAME)
    if any(tally.rejected.values()):
        storage.make_directory(directory)
        write_quarantine(uri, tally.rejected, read)
        check_rejected(tally.rejected, tally.wanted, max_rejects, uri)
    else:
        storage.remove_tree(directory)  # of an earlier run


def _count(tally: Tally) -> dict[str, Any]:
    """Returns what ``statistics.json`` holds."""
    hashes = {split: counted.hashes for split, counted in tally.statistics.items()}
    seen = any(counted.pixels for counted in tally.statistics.values())
    statistics = statistics_document(
        tally.statistics,
        find_duplicates(hashes),
        find_equal_pixels(hashes) if seen else None,
    )
    for split, rejected in tally.rejected.items():
        reasons = Counter(image.reason for image in rejected)
        statistics["splits"][split] |= {
            "rejected": dict(sorted(reasons.items())),
            "missing": tally.counts[split].missing,
            "missing_members": tally.counts[split].missing_members,
        }
    return statistics


def _draw_figure(
    facts: DatasetFacts, output: ShardOutput, tally: Tally
) -> bytes | None:
    """Returns a picture of the first examples."""
    examples = first_examples(output, tally, facts.splits[0])
    return draw_figure(examples, facts.shown_classes)
