"""The document of what was counted: ``statistics.json``."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from transforms.formats import Source
from transforms.statistics.counting import Statistics
from transforms.statistics.duplicates import DuplicateGroup
from transforms.statistics.histograms import histogram_document
from transforms.statistics.quantities import EXTREMES, QUANTITIES

VERSION: Final = 1  # of the document


def statistics_document(
    by_split: Mapping[str, Statistics],
    duplicates: Sequence[DuplicateGroup],
    equal_pixels: Sequence[DuplicateGroup] | None = None,
) -> dict[str, Any]:
    """Returns what ``statistics.json`` holds; ``docs/statistics.md`` has its schema.

    Args:
        by_split: What was counted of each split.
        duplicates: Images that are equal byte for byte.
        equal_pixels: Images that have equal pixels under different bytes; None where
            pixels were not looked at.
    """
    document = {
        "version": VERSION,
        "splits": {split: _split(statistics) for split, statistics in by_split.items()},
        "duplicates": list(map(_group, duplicates)),
    }
    if equal_pixels is not None:
        document["equal_pixels"] = list(map(_group, equal_pixels))
    return document


def _group(group: DuplicateGroup) -> dict[str, Any]:
    return {
        "xxh3_128": group.digest,
        "splits_differ": group.splits_differ,
        "labels_differ": group.labels_differ,
        "images": [
            {"split": image.split} | _source(image.source) for image in group.images
        ],
    }


def _split(statistics: Statistics) -> dict[str, Any]:
    """Returns a split's statistics in the units that the document has."""
    pixels = statistics.pixels
    return {
        "examples": statistics.examples,
        "image_bytes": statistics.image_bytes,
        "example_bytes": statistics.example_bytes,
        "labels": {str(key): count for key, count in sorted(statistics.labels.items())},
        **{
            name: histogram_document(item, QUANTITIES[name].parts)
            for name, item in statistics.histograms.items()
        },
        **{
            name: dict(sorted(counts.items()))
            for name, counts in statistics.counts.items()
        },
        **{
            name: [
                {"value": extreme.value / QUANTITIES[EXTREMES[name][0]].parts}
                | _source(extreme.source)
                for extreme in extremes
            ]
            for name, extremes in statistics.extremes.items()
        },
        "warned": {
            warning: [_source(source) for source in sources]
            for warning, sources in statistics.warned.items()
        },
        "pixels": pixels and pixels.document(),
    }


def _source(source: Source) -> dict[str, Any]:
    """Returns a source for JSON; ``asdict`` takes ten times as long."""
    within = {"file": source.file} if source.file else {}
    detail = {"detail": source.detail} if source.detail else {}
    return {
        "name": source.name,
        "label": source.label,
        "archive": source.archive,
        **within,
        "offset": source.offset,
        "size": source.size,
        **detail,
    }
