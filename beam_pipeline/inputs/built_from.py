"""Which archives a finished dataset was built from, in which state.

The manifest states their sizes alone, so that the same archives give the same manifest
wherever they lie and whenever they were written. Beside the indexes lies a note for
each format of a dataset that this machine built: by split and name of an archive, its
length and generation. Where a note is missing, nothing is said.
"""

import hashlib
import json
import logging
from collections.abc import Iterable
from typing import Any, Final

from transforms import storage
from transforms.archives import Archive
from transforms.errors import StorageError
from transforms.formats import Places
from transforms.storage import short_names

_SUFFIX: Final = ".built.json"
_LOGGER = logging.getLogger(__name__)

# By split and short name: length in bytes, and generation.
_States = dict[str, list[Any]]


def note_archives(
    places: Places, formats: Iterable[str], index_dir: str, archives: Iterable[Archive]
) -> None:
    """Notes what finished formats of a dataset were built from."""
    data = json.dumps(_states(archives), indent=2).encode()
    try:
        storage.make_directory(index_dir)
        for name in formats:
            storage.publish_bytes(_path(places, name, index_dir), data)
    except StorageError as error:
        _LOGGER.warning("What it was built from is not noted: %s", error)


def archive_changes(
    places: Places, format_name: str, index_dir: str, archives: Iterable[Archive]
) -> list[str]:
    """Returns in what archives differ from those that a format was built from.

    Args:
        places: Where the dataset lies.
        format_name: The format.
        index_dir: Directory of saved indexes, with the notes.
        archives: The archives as they are now.
    """
    before = _read(_path(places, format_name, index_dir))
    if before is None:
        return []
    now = _states(archives)
    return [
        _in_words(key, before.get(key), now.get(key))
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]


def _in_words(key: str, before: list[Any] | None, now: list[Any] | None) -> str:
    if before is None:
        return f"{key} is new"
    if now is None:
        return f"{key} is not there"
    if before[0] != now[0]:
        return f"{key} was {before[0]:,} bytes, now {now[0]:,}"
    return f"{key} was modified"


def _states(archives: Iterable[Archive]) -> _States:
    archives = list(archives)
    names = short_names(archive.file.uri for archive in archives)
    return {
        f"{archive.split}.{names[archive.file.uri]}": [
            archive.file.size,
            archive.file.generation,
        ]
        for archive in archives
    }


def _read(uri: str) -> _States | None:
    """Returns a note; None where there is none that can be read."""
    try:
        found = storage.read_json(uri) if storage.exists(uri) else None
    except StorageError:
        return None
    if not isinstance(found, dict):
        return None
    for state in found.values():
        if not isinstance(state, list) or [type(each) for each in state] != [int, str]:
            return None
    return found


def _path(places: Places, format_name: str, index_dir: str) -> str:
    directory = places.directory(format_name)
    digest = hashlib.sha256(f"{format_name} {directory}".encode()).hexdigest()[:12]
    return storage.join(
        index_dir, f"{places.config or places.dataset}-{digest}{_SUFFIX}"
    )
