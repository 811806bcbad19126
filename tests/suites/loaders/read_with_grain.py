"""Reads ArrayRecord with grain, in an environment without TensorFlow.

Usage: read_with_grain.py DATA_DIR VERSION CONFIG...

Prints one JSON document. Each record is parsed twice: by protobuf for the bytes of its
image, and by TFDS's features for the pixels.
"""

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grain
import tensorflow_datasets as tfds
from digests import bytes_digest, pixels_digest
from tensorflow_datasets.proto import tf_example_pb2


@dataclass(frozen=True)
class Describe(grain.transforms.Map):
    """Makes a record what is compared of it."""

    features: tfds.features.FeaturesDict

    def map(self, record: bytes) -> list[Any]:
        entries = tf_example_pb2.Example.FromString(record).features.feature
        decoded = self.features.deserialize_example_np(record)
        return [
            decoded["file_name"].decode(),
            int(decoded["label"]),
            bytes_digest(entries["image"].bytes_list.value[0]),
            pixels_digest(decoded["image"]),
        ]


def main(data_dir: Path, version: str, configs: list[str]) -> None:
    assert importlib.util.find_spec("tensorflow") is None
    document = {
        config: read(data_dir / "imagenet2012_subset" / config / version)
        for config in configs
    }
    assert "tensorflow" not in sys.modules
    json.dump(document, sys.stdout)


def read(directory: Path) -> dict[str, Any]:
    describe = Describe(tfds.builder_from_directory(directory).info.features)
    sources = {
        split: grain.sources.ArrayRecordDataSource(
            sorted(map(str, directory.glob(f"*-{split}.array_record-*")))
        )
        for split in ("train", "validation", "test")
    }
    datasets = {
        split: grain.MapDataset.source(source) for split, source in sources.items()
    }
    return {
        "in_order": {
            split: list(dataset.map(describe)) for split, dataset in datasets.items()
        },
        "shuffled": {
            split: list(dataset.shuffle(seed=1).map(describe))
            for split, dataset in datasets.items()
        },
        "by_data_loader": {
            split: list(
                grain.DataLoader(
                    data_source=source,
                    sampler=grain.samplers.SequentialSampler(len(source)),
                    operations=[describe],
                )
            )
            for split, source in sources.items()
        },
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
