"""What a record is, and the files that hold records."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.formats.format import Layout, OpenFile
    from transforms.formats.kinds import (
        KINDS,
        features_of_tfds,
        shape_text,
        tfds_feature,
    )
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
        BY_NAME,
        DOCUMENTATION,
        FEATURES,
        ORDERS,
        DamagedRecords,
        Example,
        Feature,
        Schema,
        Source,
        feature_of,
    )
    from transforms.formats.table import FORMATS, ONLY_CONFIG, full_name, loader_line
    from transforms.formats.tf_example import example_sizes, list_sizes
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "BY_NAME",
    "DOCUMENTATION",
    "FEATURES",
    "FORMATS",
    "KINDS",
    "MANIFEST",
    "MARKS",
    "ONLY_CONFIG",
    "ORDERS",
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
    "feature_of",
    "features_of_tfds",
    "find_data_dir",
    "full_name",
    "list_sizes",
    "loader_line",
    "read_older_digest",
    "shape_text",
    "tfds_feature",
]
