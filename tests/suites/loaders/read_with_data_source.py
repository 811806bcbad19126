"""Reads ArrayRecord with tfds.data_source, in an environment without TensorFlow.

Usage: read_with_data_source.py DATA_DIR VERSION CONFIG...

Prints one JSON document.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from digests import pixels_digest


def main(data_dir: Path, version: str, configs: list[str]) -> None:
    assert importlib.util.find_spec("tensorflow") is None
    document = {config: read(data_dir, config, version) for config in configs}
    assert "tensorflow" not in sys.modules
    json.dump(document, sys.stdout)


def read(data_dir: Path, config: str, version: str) -> dict[str, Any]:
    name = f"imagenet2012_subset/{config}"
    sources = tfds.data_source(f"{name}:{version}", data_dir=data_dir)
    builder = tfds.builder_from_directory(data_dir / name / version)
    label = builder.info.features["label"]
    file_formats = [
        builder.info.file_format.value,
        *(each.value for each in builder.info.alternative_file_formats),
    ]
    return {
        "records": {
            split: [describe(record) for record in source]
            for split, source in sources.items()
        },
        # From the back, one at a time, and the format by name.
        "backwards": {
            split: [describe(source[i]) for i in reversed(range(len(source)))]
            for split, source in builder.as_data_source(
                file_format="array_record"
            ).items()
        },
        "features": repr(builder.info.features),
        "class_names": label.names,
        "file_formats": file_formats,
    }


def describe(record: dict[str, Any]) -> tuple[str, int, str]:
    pixels = pixels_digest(record["image"])
    return record["file_name"].decode(), int(record["label"]), pixels


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
