"""Builds datasets with TFDS, each from small archives; run by the Python that has TFDS.

Standard input has a JSON list of builds: ``name`` as ``tfds.builder`` takes it,
``archives`` and ``data_dir``, two directories, and ``urls``, the names of files in
``archives`` by the address that TFDS gets them from. What it knows of their sizes and
hashes is replaced, so that it takes ours for the published ones.
"""

import json
import sys

import tensorflow_datasets as tfds
from build_with_tfds import serialize_sorted
from etils import epath
from tensorflow_datasets.core.download import checksums
from tensorflow_datasets.core.example_serializer import ExampleSerializer
from tensorflow_datasets.datasets.imagenet2012_fewshot import (
    imagenet2012_fewshot_dataset_builder as fewshot,
)


def main() -> None:
    ExampleSerializer.serialize_example = serialize_sorted
    tfds.disable_progress_bar()
    builds = json.load(sys.stdin)
    # What a builder has read of its package, those that inherit it take for their own:
    # imagenet2012 goes after imagenet2012_fewshot.
    for build in sorted(builds, key=lambda build: build["name"], reverse=True):
        archives = epath.Path(build["archives"])
        # Its lists lie in a bucket, and are read there.
        fewshot.SUBSET2FILES = {
            name: archives / f"{name}.txt" for name in fewshot.SUBSET2FILES
        }
        fewshot.TUNE_FILE = archives / "tune.txt"
        builder = tfds.builder(build["name"], data_dir=build["data_dir"])
        type(builder).url_infos = {
            url: checksums.compute_url_info(archives / name)
            for url, name in build["urls"].items()
        }
        builder.download_and_prepare(
            download_dir=f"{build['data_dir']}/downloads",
            download_config=tfds.download.DownloadConfig(manual_dir=archives),
        )


if __name__ == "__main__":
    main()
