"""Builds imagenet2012_subset with TFDS; run by the Python that has TFDS.

Stock TFDS writes the entries of each Example's map in an order that differs between
processes. ``--deterministic`` has protobuf sort them, and changes nothing else.
Nothing is downloaded where the subset list lies beside the archives.
"""

import argparse
from collections.abc import Mapping
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core.example_serializer import ExampleSerializer


def serialize_sorted(self: ExampleSerializer, example: Mapping[str, Any]) -> bytes:
    return self.get_tf_example(example).SerializeToString(deterministic=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--manual_dir", required=True)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("--file_format", default="tfrecord")
    parser.add_argument("--num_shards", type=int)
    parser.add_argument("--max_examples_per_split", type=int)
    arguments = parser.parse_args()
    if arguments.deterministic:
        ExampleSerializer.serialize_example = serialize_sorted
    tfds.disable_progress_bar()
    builder = tfds.builder(
        f"imagenet2012_subset/{arguments.config}",
        data_dir=arguments.data_dir,
        file_format=arguments.file_format,
    )
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=arguments.manual_dir,
            num_shards=arguments.num_shards,
            max_examples_per_split=arguments.max_examples_per_split,
        )
    )


if __name__ == "__main__":
    main()
