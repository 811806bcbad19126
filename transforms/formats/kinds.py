"""The kinds of features: how each is stored, and what every document calls it.

One row a kind. A document asks the row and never which kind it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

Names = Sequence[str]  # of the classes, by number


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of feature.

    Attributes:
        arrow: Type of its column in formats that have columns.
        tfds_class: The TFDS class that reads it, below ``core.features``.
        tfds: Its part of TFDS's ``features.json`` besides the class.
        shape: Its shape as TFDS prints it.
        dtype: Its type as TFDS prints it.
        hub_dtype: Its type in the YAML head of a dataset card on the hub.
        hub_feature: The same as ``datasets`` writes it into a Parquet schema.
        croissant: Its data types in Croissant.
        croissant_transform: What Croissant does to the column to get the value.
        arguments: Further arguments of the TFDS class, as Python has them.
    """

    arrow: pa.DataType
    tfds_class: str
    tfds: Callable[[Names], Mapping[str, Any]]
    shape: str
    dtype: str
    hub_dtype: Callable[[Names], str | Mapping[str, Any]]
    hub_feature: Callable[[Names], Mapping[str, Any]]
    croissant: str | list[str]
    croissant_transform: Mapping[str, str] = field(default_factory=dict)
    arguments: Callable[[Names], str] = lambda names: ""

    @property
    def tfds_name(self) -> str:
        """The name of the TFDS class without its module."""
        return self.tfds_class.rpartition(".")[2]


KINDS: Final[Mapping[str, Kind]] = {
    "text": Kind(
        arrow=pa.string(),
        tfds_class="text_feature.Text",
        tfds=lambda names: {"text": {}},
        shape="()",
        dtype="string",
        hub_dtype=lambda names: "string",
        hub_feature=lambda names: {"dtype": "string", "_type": "Value"},
        croissant="sc:Text",
    ),
    "image": Kind(
        arrow=pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        tfds_class="image_feature.Image",
        tfds=lambda names: {
            "image": {"dtype": "uint8", "shape": {"dimensions": ["-1", "-1", "3"]}}
        },
        shape="(None, None, 3)",
        dtype="uint8",
        hub_dtype=lambda names: "image",
        hub_feature=lambda names: {"_type": "Image"},
        croissant="sc:ImageObject",
        croissant_transform={"jsonPath": "bytes"},
    ),
    "label": Kind(
        arrow=pa.int64(),
        tfds_class="class_label_feature.ClassLabel",
        tfds=lambda names: {"classLabel": {"numClasses": str(len(names))}},
        shape="()",
        dtype="int64",
        hub_dtype=lambda names: {
            "class_label": {"names": {str(i): name for i, name in enumerate(names)}}
        },
        hub_feature=lambda names: {"names": names, "_type": "ClassLabel"},
        croissant=["sc:Integer", "cr:Label"],
        arguments=lambda names: f", num_classes={len(names)}",
    ),
    "pixels": Kind(
        arrow=pa.int32(),
        tfds_class="scalar.Scalar",
        tfds=lambda names: {"tensor": {"shape": {}, "dtype": "int32"}},
        shape="()",
        dtype="int32",
        hub_dtype=lambda names: "int32",
        hub_feature=lambda names: {"dtype": "int32", "_type": "Value"},
        croissant="sc:Integer",
    ),
}
