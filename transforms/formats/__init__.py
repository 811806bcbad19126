"""What a record is, and the files that hold records."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.formats.format import Layout, OpenFile
    from transforms.formats.kinds import KINDS
    from transforms.formats.listing import (
        ConfigFacts,
        DocumentFacts,
        FileFacts,
        SplitCounts,
        SplitFacts,
        read_older_digest,
    )
    from transforms.formats.places import MANIFEST, MARKS, Places, find_data_dir
    from transforms.formats.records import (
        FEATURES,
        DamagedRecords,
        Example,
        Feature,
        Schema,
        Source,
    )
    from transforms.formats.table import FORMATS, loader_line
    from transforms.formats.tf_example import example_sizes
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "FEATURES",
    "FORMATS",
    "KINDS",
    "MANIFEST",
    "MARKS",
    "ConfigFacts",
    "DamagedRecords",
    "DocumentFacts",
    "Example",
    "Feature",
    "FileFacts",
    "Layout",
    "OpenFile",
    "Places",
    "Schema",
    "Source",
    "SplitCounts",
    "SplitFacts",
    "example_sizes",
    "find_data_dir",
    "loader_line",
    "read_older_digest",
]
