"""What is compared of datasets that different containers built."""

import hashlib
from pathlib import Path
from typing import Final

EVERY_FORMAT: Final = "tfrecord,array_record,parquet,webdataset"
_FOLDERS: Final = ("imagenet2012_subset", "parquet", "webdataset")


def digests(data_dir: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file of the datasets beneath a directory.

    Saved indexes are left out: their names depend on where the archives lie.
    """
    return {
        str(path.relative_to(data_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in _FOLDERS
        for path in sorted((data_dir / folder).rglob("*"))
        if path.is_file()
    }


def owners(data_dir: Path) -> set[tuple[int, int]]:
    """Returns the user and group ids that own the files beneath a directory."""
    return {
        (path.stat().st_uid, path.stat().st_gid)
        for path in data_dir.rglob("*")
        if path.is_file()
    }
