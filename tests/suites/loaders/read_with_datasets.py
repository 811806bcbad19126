"""Reads folders with datasets.load_dataset, and their cards with huggingface_hub.

Usage: read_with_datasets.py PARQUET_FOLDER WEBDATASET_FOLDER CONFIG...

Prints one JSON document. A record is what it has besides its image, then digests of
the image's bytes and pixels.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from digests import bytes_digest, pixels_digest
from huggingface_hub import DatasetCard

AS_BYTES = datasets.Image(decode=False)


def main(parquet: str, webdataset: str, configs: list[str]) -> None:
    datasets.disable_progress_bars()
    document = {
        "parquet": {
            **{config: read_parquet(parquet, config) for config in configs},
            "folder": describe_folder(parquet),
        },
        "webdataset": {
            **{config: read_webdataset(webdataset, config) for config in configs},
            "folder": describe_folder(webdataset),
        },
    }
    json.dump(document, sys.stdout)


def describe_folder(folder: str) -> dict[str, Any]:
    card = DatasetCard.load(Path(folder) / "README.md", ignore_metadata_errors=False)
    data = card.data.to_dict()
    return {
        "config_names": datasets.get_dataset_config_names(folder),
        "default_config": datasets.get_dataset_default_config_name(folder),
        "license": [data[key] for key in ("license", "license_name", "license_link")],
        "task_categories": data["task_categories"],
        "size_categories": data["size_categories"],
        "text": card.text,
    }


def read_parquet(folder: str, config: str) -> dict[str, Any]:
    paths = {
        split: f"{folder}/{config}/{split}-*.parquet"
        for split in ("train", "validation", "test")
    }
    ways = {
        "mapped": datasets.load_dataset(folder, config),
        "streamed": datasets.load_dataset(folder, config, streaming=True),
        # Without the card, by what the files say of themselves.
        "by_files": datasets.load_dataset("parquet", data_files=paths),
    }
    return describe_ways(ways, "image", parquet_record)


def read_webdataset(folder: str, config: str) -> dict[str, Any]:
    paths = {
        split: f"{folder}/{config}/{split}-*.tar"
        for split in ("train", "validation", "test")
    }
    ways = {
        "mapped": datasets.load_dataset(folder, config),
        "streamed": datasets.load_dataset(folder, config, streaming=True),
        "by_files": datasets.load_dataset("webdataset", data_files=paths),
    }
    return describe_ways(ways, "jpg", webdataset_record)


def describe_ways(
    ways: Mapping[str, Any], image: str, record: Callable[[Any], list[Any]]
) -> dict[str, Any]:
    return {
        way: {
            "records": {
                split: [
                    [
                        *record(row),
                        bytes_digest(encoded[image]["bytes"]),
                        pixels_digest(np.asarray(row[image])),
                    ]
                    for row, encoded in zip(
                        dataset, dataset.cast_column(image, AS_BYTES), strict=True
                    )
                ]
                for split, dataset in splits.items()
            },
            "features": {
                split: {name: repr(kind) for name, kind in dataset.features.items()}
                for split, dataset in splits.items()
            },
            "counted": {
                split: dataset.info.splits[split].num_examples
                for split, dataset in splits.items()
                if dataset.info.splits
            },
        }
        for way, splits in ways.items()
    }


def parquet_record(row: dict[str, Any]) -> list[Any]:
    return [value for name, value in row.items() if name != "image"]


def webdataset_record(row: dict[str, Any]) -> list[Any]:
    return [row["__key__"], row["cls"], row["json"]]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
