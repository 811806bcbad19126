"""What lies in a directory that images may be taken from, recognised by its content.

A file is recognised by its first bytes, whatever it is called: a tar may be named
``.tar.gz``. A folder is recognised by its entries. What cannot hold images, such as a
list or a development kit, is passed over, and other folders are looked into.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from transforms import storage
from transforms.archives.containers import Archive
from transforms.archives.forms import FORMS, PEEK
from transforms.archives.names import image_name, is_image
from transforms.archives.tar.form import refuse_compressed
from transforms.errors import ArchiveError, printable
from transforms.storage import Entry, FileInfo

_DEPTH: Final = 6  # folders; ILSVRC/Data/CLS-LOC/train lies four deep
_MOST_FOLDERS: Final = 32  # looked into, of those beside each other
_ARCHIVE_ENDS: Final = (".tar", ".gz", ".tgz", ".zip", ".parquet")
_NUMBER: Final = re.compile(r"\d+")
_PART: Final = re.compile(r"(.*-)(\d+)-of-(\d+)(\..*)?")


@dataclass(frozen=True, slots=True)
class FoundArchive:
    """One file or folder that may hold images.

    Attributes:
        file: What identifies its present state.
        form: Its form, a key of ``FORMS``.
        names: Names of some of its images, in the normal form.
        classes: The known classes that it has a folder or an inner archive of, where
            that is known before it is indexed; else empty.
    """

    file: FileInfo
    form: str
    names: tuple[str, ...]
    classes: frozenset[str] = frozenset()

    def may_hold(self, pattern: str) -> bool:
        """Returns whether it may have images of names like a shell's pattern."""
        return any(fnmatchcase(name, pattern) for name in self.names)

    @property
    def noun(self) -> str:
        """What it is, in words with an article."""
        return FORMS[self.form].noun


@dataclass(frozen=True, slots=True)
class Search:
    """What was found in a directory.

    Attributes:
        archives: What images may be taken from; parts of one archive are together.
        damaged: What is wrong with archives that cannot be read, in sentences.
        others: Files that are called like archives and are none.
    """

    archives: tuple[tuple[FoundArchive, ...], ...]
    damaged: tuple[str, ...]
    others: tuple[str, ...]


def recognise(uri: str, class_names: Collection[str] = ()) -> FoundArchive | None:
    """Returns what a file or folder is; None for nothing that images are taken from.

    Args:
        uri: The file or folder.
        class_names: The names of the known classes.

    Raises:
        ArchiveError: It is damaged where it begins, or compressed in a way that does
            not allow images to be read in place.
        StorageError: It can't be read.
    """
    if storage.exists(uri):
        return _recognise_file(uri)
    return _recognise_folder(uri, list(storage.list_entries(uri)), class_names)


def search(
    directory: str, class_names: Collection[str], passed_over: Collection[str] = ()
) -> Search:
    """Returns all that lies in a directory that images may be taken from.

    Args:
        directory: Where to look.
        class_names: The names of the known classes.
        passed_over: Names of files that are not looked at.

    Raises:
        StorageError: The directory can't be listed.
    """
    found = _Searcher(frozenset(class_names), frozenset(passed_over))
    found.look_into(directory, _DEPTH)
    return Search(
        tuple(map(tuple, found.archives)), tuple(found.damaged), tuple(found.others)
    )


class _Searcher:
    """Looks into folders, and notes what it finds."""

    def __init__(
        self, class_names: frozenset[str], passed_over: frozenset[str]
    ) -> None:
        self._class_names = class_names
        self._passed_over = passed_over
        self.archives: list[list[FoundArchive]] = []
        self.damaged: list[str] = []
        self.others: list[str] = []

    def look_into(self, directory: str, depth: int) -> None:
        entries = [
            entry
            for entry in storage.list_entries(directory)
            if not entry.name.startswith((".", "_"))
            and entry.name not in self._passed_over
        ]
        folder = _recognise_folder(directory, entries, self._class_names)
        if folder is not None:
            self.archives.append([folder])
            return
        parts: dict[str, list[str]] = {}
        for entry in entries:
            if entry.size is not None:
                parts.setdefault(_NUMBER.sub("#", entry.name), []).append(entry.name)
        for names in parts.values():
            self._look_at([storage.join(directory, name) for name in names])
        folders = [entry.name for entry in entries if entry.size is None]
        if depth:
            for name in folders[:_MOST_FOLDERS]:
                self.look_into(storage.join(directory, name), depth - 1)

    def _look_at(self, uris: list[str]) -> None:
        """Notes files that are called alike, which may be the parts of one archive."""
        found = []
        for uri in uris:
            try:
                archive = _recognise_file(uri)
            except ArchiveError as error:
                self.damaged.append(str(error))
                continue
            if archive is not None:
                found.append(archive)
            elif uri.endswith(_ARCHIVE_ENDS):
                self.others.append(printable(uri))
        if found:
            self.archives.append(found)


def missing_parts(archives: Sequence[FoundArchive]) -> list[str]:
    """Returns the names of parts that lack, of those counted as ``00000-of-00294``."""
    missing = []
    whole: dict[tuple[str, str, str], set[int]] = {}
    for archive in archives:
        part = _PART.fullmatch(storage.base_name(archive.file.uri))
        if part:
            stem, number, total, end = part.groups(default="")
            whole.setdefault((stem, total, end), set()).add(int(number))
    for (stem, total, end), numbers in whole.items():
        missing += [
            f"{stem}{number:0{len(total)}}-of-{total}{end}"
            for number in range(int(total))
            if number not in numbers
        ]
    return missing


def _recognise_file(uri: str) -> FoundArchive | None:
    file = storage.file_info(uri)
    start = _read_start(file)
    for name, form in FORMS.items():
        if form.begins(start):
            return _sample(file, name)
    refuse_compressed(uri, start)
    return None


def _read_start(file: FileInfo) -> bytes:
    reader = storage.open_reader(file)
    try:
        return reader.read(0, min(PEEK, file.size))
    finally:
        reader.close()


def _recognise_folder(
    uri: str, entries: Sequence[Entry], class_names: Collection[str]
) -> FoundArchive | None:
    for name, form in FORMS.items():
        if form.holds(entries, class_names):
            stems = {entry.name.removesuffix(".tar") for entry in entries}
            return _sample(form.identify(uri), name, stems.intersection(class_names))
    return None


def _sample(file: FileInfo, form: str, classes: Collection[str] = ()) -> FoundArchive:
    paths = FORMS[form].sample(Archive("", file, form))
    known = [image_name(path) for path in paths]
    names = [each.name for each in known if each and is_image(each.name)]
    return FoundArchive(file, form, tuple(dict.fromkeys(names)), frozenset(classes))
