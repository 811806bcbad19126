"""``--verify_archives``: whether archives are the published ones, byte for byte."""

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from beam_pipeline.config import KnownArchive
from transforms import storage
from transforms.errors import ArchiveError
from transforms.storage import FileInfo

_LOGGER = logging.getLogger(__name__)


def verify_archives(
    archives: Iterable[FileInfo], known: Mapping[str, KnownArchive]
) -> None:
    """Reads archives whole and compares them with the published ones of their names.

    Args:
        archives: The archives; one that several splits share is read once.
        known: The published ones, by name.

    Raises:
        ArchiveError: Some are not as published; all that is wrong is reported.
        StorageError: One can't be read.
    """
    archives = list(dict.fromkeys(archives))
    # The system's hashes run beside each other.
    with ThreadPoolExecutor(len(archives)) as pool:
        problems = list(pool.map(lambda file: _problem(file, known), archives))
    found = [problem for problem in problems if problem]
    if found:
        raise ArchiveError(" ".join(found))


def refuse_mistaken(
    archives: Iterable[FileInfo], known: Mapping[str, KnownArchive]
) -> None:
    """Compares the sizes of archives with those of others that are taken for them.

    Args:
        archives: The archives.
        known: The published ones, by name.

    Raises:
        ArchiveError: One has the name of a published archive and the size of another.
    """
    for file in archives:
        name = storage.base_name(file.uri)
        size = known[name].size if name in known else None
        if size in (None, file.size):
            continue
        for other, archive in known.items():
            if archive.may_have(file.size):
                remark = f", {archive.remark}" if archive.remark else ""
                raise ArchiveError(
                    f"{file.uri} is not the published {name}, which has {size:,} "
                    f"bytes: it has {file.size:,} bytes, as {other} has{remark}. Get "
                    f"{name}."
                )


def _problem(file: FileInfo, known: Mapping[str, KnownArchive]) -> str:
    """Returns what is wrong with an archive, or nothing."""
    name = storage.base_name(file.uri)
    published = known.get(name)
    if published is None:
        _LOGGER.warning("No checksum of %s is known, so it is not verified.", file.uri)
        return ""
    _LOGGER.info("Verifying %s: %s bytes.", file.uri, f"{file.size:,}")
    if published.size not in (None, file.size):
        return (
            f"{file.uri} is not the published {name}: it has {file.size:,} bytes "
            f"instead of {published.size:,}. {_identify(file, known)}"
        )
    kind, wanted = _published_hash(published)
    if not wanted:
        _LOGGER.warning("No checksum of %s is known, so it is not verified.", file.uri)
        return ""
    digest = storage.hash_file(file.uri, kind)
    if digest != wanted:
        return (
            f"{file.uri} is not the published {name}: its {kind} is {digest} instead "
            f"of {wanted}. {_identify(file, known)}"
        )
    _LOGGER.info("%s is the published one: its %s is %s.", file.uri, kind, digest)
    return ""


def _published_hash(archive: KnownArchive) -> tuple[Literal["sha256", "md5"], str]:
    """Returns the better one of an archive's hashes, empty where none is known."""
    if archive.sha256:
        return "sha256", archive.sha256
    return "md5", archive.md5 or ""


def _identify(file: FileInfo, known: Mapping[str, KnownArchive]) -> str:
    """Returns which of the known archives a file is, and what to do."""
    candidates = {
        _published_hash(archive): name
        for name, archive in known.items()
        if archive.size in (None, file.size)
    }
    hashes = {(k, storage.hash_file(file.uri, k)) for k in {k for k, _ in candidates}}
    for same in hashes & candidates.keys():
        name = candidates[same]
        remark = known[name].remark
        return f"It is {name}{f', {remark}' if remark else ''}. Get the other one."
    return (
        "It is none of those that are published: cut off, damaged, packed again, or "
        "another archive on purpose, which --verify_archives knows nothing of unless "
        "known_archives describes it."
    )
