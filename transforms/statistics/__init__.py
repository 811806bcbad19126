"""What is counted of images, as one value that adds."""

from transforms.statistics.counting import (
    Observation,
    Statistics,
    StatisticsBuilder,
    from_json,
    kinds,
    merge,
    rename_archives,
    to_json,
)
from transforms.statistics.document import statistics_document
from transforms.statistics.duplicates import content_hash, find_duplicates
from transforms.statistics.pixels import sample_pixels
from transforms.statistics.quantities import EXTREMES, QUANTITIES

__all__ = [
    "EXTREMES",
    "QUANTITIES",
    "Observation",
    "Statistics",
    "StatisticsBuilder",
    "content_hash",
    "find_duplicates",
    "from_json",
    "kinds",
    "merge",
    "rename_archives",
    "sample_pixels",
    "statistics_document",
    "to_json",
]
