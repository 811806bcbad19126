"""The kinds of features: how each is stored, and what every document calls it.

One row a kind. A document asks the row and never which kind it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from transforms.formats.records import DOCUMENTATION, FEATURES, Feature

Names = Sequence[str]  # of the classes, by number
_FEATURES_MODULE: Final = "tensorflow_datasets.core.features"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of feature.

    Attributes:
        arrow: Type of its column in formats that have columns.
        tfds_class: The TFDS class that reads it, below ``core.features``.
        tfds: Its part of TFDS's ``features.json`` besides the class.
        shape: Its shape as TFDS prints it, where the feature has none.
        dtype: Its type as TFDS prints it.
        hub: Its type in the YAML head of a dataset card on the hub.
        hub_feature: The same as ``datasets`` writes it into a Parquet schema.
        croissant: Its data types in Croissant.
        croissant_transform: What Croissant does to the column to get the value.
        arguments: Further arguments of the TFDS class, as Python has them.
        repeated: Whether it has any number of values.
    """

    arrow: pa.DataType
    tfds_class: str
    tfds: Callable[[Feature, Names], Mapping[str, Any]]
    shape: str
    dtype: str
    hub: Callable[[Names], Mapping[str, Any]]
    hub_feature: Callable[[Names], Mapping[str, Any]]
    croissant: str | list[str]
    croissant_transform: Mapping[str, str] = field(default_factory=dict)
    arguments: Callable[[Names], str] = lambda names: ""
    repeated: bool = False

    @property
    def tfds_name(self) -> str:
        """The name of the TFDS class without its module."""
        return self.tfds_class.rpartition(".")[2]


def tfds_feature(feature: Feature, kind: str, names: Names) -> dict[str, Any]:
    """Returns what ``features.json`` holds of a feature, as one of a kind."""
    row = KINDS[kind]
    return {
        "pythonClassName": f"{_FEATURES_MODULE}.{row.tfds_class}",
        **row.tfds(feature, names),
    }


def features_of_tfds(listed: Mapping[str, Any]) -> tuple[Feature, ...]:
    """Returns the features that ``features.json`` lists, of kinds that are known.

    Args:
        listed: What it has of each feature, by name.

    Raises:
        ValueError: It is not as TFDS writes it, likewise AttributeError and TypeError.
    """
    kinds = {f"{_FEATURES_MODULE}.{row.tfds_class}": k for k, row in KINDS.items()}
    features = []
    for name, entry in listed.items():
        described = entry if isinstance(entry, dict) else {}
        kind = kinds.get(str(described.get("pythonClassName")), "")
        if kind in DOCUMENTATION:
            image = described.get("image", {})
            sides = [int(side) for side in image.get("shape", {}).get("dimensions", ())]
            features.append(
                Feature(
                    name,
                    kind,
                    DOCUMENTATION[kind],
                    image.get("encodingFormat", ""),
                    () if -1 in sides else tuple(sides),
                )
            )
    found = [feature.kind for feature in features]
    whole = {"image", "label"} <= {*found} and len({*found}) == len(found)
    return tuple(features) if whole else FEATURES


def shape_text(feature: Feature) -> str:
    """Returns the shape of a feature as TFDS prints it."""
    return str(feature.shape) if feature.shape else KINDS[feature.kind].shape


def _image(feature: Feature) -> dict[str, Any]:
    dimensions = list(map(str, feature.shape)) or ["-1", "-1", "3"]
    encoded = {"encodingFormat": feature.encoding} if feature.encoding else {}
    return {"dtype": "uint8", "shape": {"dimensions": dimensions}, **encoded}


def _hub_classes(names: Names) -> dict[str, Any]:
    return {"class_label": {"names": {str(i): name for i, name in enumerate(names)}}}


KINDS: Final[Mapping[str, Kind]] = {
    "text": Kind(
        arrow=pa.string(),
        tfds_class="text_feature.Text",
        tfds=lambda feature, names: {"text": {}},
        shape="()",
        dtype="string",
        hub=lambda names: {"dtype": "string"},
        hub_feature=lambda names: {"dtype": "string", "_type": "Value"},
        croissant="sc:Text",
    ),
    "image": Kind(
        arrow=pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        tfds_class="image_feature.Image",
        tfds=lambda feature, names: {"image": _image(feature)},
        shape="(None, None, 3)",
        dtype="uint8",
        hub=lambda names: {"dtype": "image"},
        hub_feature=lambda names: {"_type": "Image"},
        croissant="sc:ImageObject",
        croissant_transform={"jsonPath": "bytes"},
    ),
    "label": Kind(
        arrow=pa.int64(),
        tfds_class="class_label_feature.ClassLabel",
        tfds=lambda feature, names: {"classLabel": {"numClasses": str(len(names))}},
        shape="()",
        dtype="int64",
        hub=lambda names: {"dtype": _hub_classes(names)},
        hub_feature=lambda names: {"names": names, "_type": "ClassLabel"},
        croissant=["sc:Integer", "cr:Label"],
        arguments=lambda names: f", num_classes={len(names)}",
    ),
    "label_list": Kind(
        arrow=pa.list_(pa.int64()),
        tfds_class="sequence_feature.Sequence",
        tfds=lambda feature, names: {
            "sequence": {
                "feature": tfds_feature(feature, "label", names),
                "length": "-1",
            }
        },
        shape="(None,)",
        dtype="int64",
        hub=lambda names: {"list": _hub_classes(names)},
        hub_feature=lambda names: {
            "feature": KINDS["label"].hub_feature(names),
            "_type": "List",
        },
        croissant=["sc:Integer", "cr:Label"],
        repeated=True,
    ),
    "pixels": Kind(
        arrow=pa.int32(),
        tfds_class="scalar.Scalar",
        tfds=lambda feature, names: {"tensor": {"shape": {}, "dtype": "int32"}},
        shape="()",
        dtype="int32",
        hub=lambda names: {"dtype": "int32"},
        hub_feature=lambda names: {"dtype": "int32", "_type": "Value"},
        croissant="sc:Integer",
    ),
}
