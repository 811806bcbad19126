"""What is counted of images, as one value that adds."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.statistics.counting import (
        Statistics,
        StatisticsBuilder,
        from_json,
        kinds,
        merge,
        rename_archives,
        to_json,
    )
    from transforms.statistics.document import statistics_document
    from transforms.statistics.duplicates import (
        content_hash,
        find_duplicates,
        find_equal_pixels,
    )
    from transforms.statistics.observations import Observation
    from transforms.statistics.pixels import sample_pixels
    from transforms.statistics.quantities import COUNTED, EXTREMES, QUANTITIES
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "COUNTED",
    "EXTREMES",
    "QUANTITIES",
    "Observation",
    "Statistics",
    "StatisticsBuilder",
    "content_hash",
    "find_duplicates",
    "find_equal_pixels",
    "from_json",
    "kinds",
    "merge",
    "rename_archives",
    "sample_pixels",
    "statistics_document",
    "to_json",
]
