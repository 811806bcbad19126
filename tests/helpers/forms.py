"""Archives in every form, and the shards that are built from them."""

import hashlib
import shutil
from pathlib import Path

from beam_pipeline.demo import TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from beam_pipeline.demo_forms import change_form
from transforms import storage


def pack(archives: Path, directory: Path, form: str) -> Path:
    """Writes the archives of a directory into a new one, in another form."""
    shutil.copytree(archives, directory)
    change_form(directory / TRAIN_ARCHIVE, directory / VALIDATION_ARCHIVE, form)
    return directory


def upload(directory: Path, uri: str) -> None:
    """Writes every file of a directory beneath a URI."""
    for path in directory.rglob("*"):
        if path.is_file():
            names = path.relative_to(directory).parts
            storage.publish_bytes(storage.join(uri, *names), path.read_bytes())


def shard_digests(dataset: str) -> dict[str, str]:
    """Returns the SHA-256 of each TFRecord shard of a dataset, by its name."""
    return {
        name: hashlib.sha256(
            storage.read_bytes(storage.join(dataset, name))
        ).hexdigest()
        for name in storage.list_names(dataset)
        if ".tfrecord-" in name
    }
