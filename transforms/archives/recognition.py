"""What lies in a directory that images may be taken from, recognised by its content.

A file is recognised by its first bytes, whatever it is called: a tar may be named
``.tar.gz``. A folder is recognised by its entries. What cannot hold images, such as a
list or a development kit, is passed over, and other folders are looked into.
"""

import re
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from transforms import storage
from transforms.archives.containers import Archive
from transforms.archives.forms import FORMS, PEEK
from transforms.archives.names import image_name, is_called_archive, is_image
from transforms.archives.tar.form import refuse_compressed
from transforms.errors import ArchiveError, printable
from transforms.storage import Entry, FileInfo

_DEPTH: Final = 6  # folders; ILSVRC/Data/CLS-LOC/train lies four deep
_MOST_FOLDERS: Final = 32  # looked into, of those beside each other
# What lies in each dataset that was built, whatever its folder is called.
_OF_A_DATASET: Final = frozenset({"manifest.json", "statistics.json"})
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
        lacking: What is wrong with others that are called alike, and so may be parts
            of the same archive, in sentences.
    """

    file: FileInfo
    form: str
    names: tuple[str, ...]
    classes: frozenset[str] = frozenset()
    lacking: tuple[str, ...] = ()

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
        unseen: Folders that were not looked into, for they lie too deep or are too
            many.
        beside: Folders beside class folders, which were taken with these.
    """

    archives: tuple[tuple[FoundArchive, ...], ...]
    damaged: tuple[str, ...]
    others: tuple[str, ...]
    unseen: tuple[str, ...]
    beside: tuple[str, ...]


def recognise(
    uri: str, class_names: Collection[str] = (), root: str = ""
) -> FoundArchive | None:
    """Returns what a file or folder is; None for nothing that images are taken from.

    Args:
        uri: The file or folder.
        class_names: The names of the known classes.
        root: A folder that holds images by its name alone.

    Raises:
        ArchiveError: It is damaged where it begins, or compressed in a way that does
            not allow images to be read in place.
        StorageError: It can't be read.
    """
    if storage.exists(uri):
        return _recognise_file(uri)
    if root and storage.base_name(uri) == root:
        return _sample(FORMS["folder"].identify(uri), "folder")
    return _recognise_folder(uri, list(storage.list_entries(uri)), class_names)


def search(
    directory: str, class_names: Collection[str], passed_over: Collection[str] = ()
) -> Search:
    """Returns all that lies in a directory that images may be taken from.

    Args:
        directory: Where to look.
        class_names: The names of the known classes.
        passed_over: Names of files and folders that are not looked at.

    Raises:
        StorageError: The directory can't be listed.
    """
    found = _Searcher(frozenset(class_names), frozenset(passed_over))
    found.look_into(directory, _DEPTH)
    return Search(
        archives=tuple(map(tuple, found.archives)),
        damaged=tuple(found.damaged),
        others=tuple(found.others),
        unseen=tuple(found.unseen),
        beside=tuple(found.beside),
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
        self.unseen: list[str] = []
        self.beside: list[str] = []

    def look_into(self, directory: str, depth: int) -> None:
        entries = [
            entry
            for entry in storage.list_entries(directory)
            if not entry.name.startswith((".", "_"))
            and entry.name not in self._passed_over
        ]
        if _OF_A_DATASET.issubset(entry.name for entry in entries):
            return  # its images may have been changed
        folder = _recognise_folder(directory, entries, self._class_names)
        files = [entry.name for entry in entries if entry.size is not None]
        if folder is not None:
            self.archives.append([folder])
            own = FORMS[folder.form].parts(entries).values()
            files = [n for n in files if is_called_archive(n) and n not in own]
            if folder.classes:
                self.beside += (
                    storage.join(directory, entry.name)
                    for entry in entries
                    if entry.size is None and entry.name not in self._class_names
                )
        parts: dict[str, list[str]] = {}
        for name in files:
            parts.setdefault(_NUMBER.sub("#", name), []).append(name)
        for names in parts.values():
            self._look_at([storage.join(directory, name) for name in names])
        if folder is not None:
            return
        folders = [
            storage.join(directory, entry.name)
            for entry in entries
            if entry.size is None
        ]
        seen = _MOST_FOLDERS if depth else 0
        for uri in folders[:seen]:
            self.look_into(uri, depth - 1)
        self.unseen += map(printable, folders[seen:])

    def _look_at(self, uris: list[str]) -> None:
        """Notes files that are called alike, which may be the parts of one archive."""
        found = []
        lacking = []
        for uri in uris:
            try:
                archive = _recognise_file(uri)
            except ArchiveError as error:
                self.damaged.append(str(error))
                lacking.append(str(error))
                continue
            if archive is not None:
                found.append(archive)
            elif is_called_archive(uri):
                self.others.append(printable(uri))
                lacking.append(f"{printable(uri)} is no archive of images.")
        if found:
            first = replace(found[0], lacking=tuple(lacking))
            self.archives.append([first, *found[1:]])


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
    form = _form_of(file)
    return None if form is None else _sample(file, form)


def _form_of(file: FileInfo) -> str | None:
    """Returns the form of a file, by its first bytes; None for no archive."""
    start = _read_start(file)
    for name, form in FORMS.items():
        if form.begins(start):
            return name
    refuse_compressed(file.uri, start)
    return None


def read_file_within(uri: str, path: str, index_dir: str) -> bytes | None:
    """Returns a file that lies in an archive beside images, such as a list of them.

    Args:
        uri: The archive.
        path: The file's path in it, with slashes.
        index_dir: Where indexes are saved, and with them what reading it takes.

    Returns:
        Its bytes; None where the archive has no such file, or is none.

    Raises:
        ArchiveError: The archive is damaged, or compressed in another way.
        StorageError: It can't be read.
    """
    file = storage.file_info(uri)
    form = _form_of(file)
    if form is None:
        return None
    return FORMS[form].file(Archive("", file, form, index_dir=index_dir), path)


def _read_start(file: FileInfo) -> bytes:
    with closing(storage.open_reader(file)) as reader:
        return reader.read(0, min(PEEK, file.size))


def _recognise_folder(
    uri: str, entries: Sequence[Entry], class_names: Collection[str]
) -> FoundArchive | None:
    for name, form in FORMS.items():
        if form.holds(entries, class_names):
            classes = set(form.parts(entries)).intersection(class_names)
            return _sample(form.identify(uri), name, classes)
    return None


def _sample(file: FileInfo, form: str, classes: Collection[str] = ()) -> FoundArchive:
    paths = FORMS[form].sample(Archive("", file, form))
    known = [image_name(path) for path in paths]
    names = [each.name for each in known if each and is_image(each.name)]
    return FoundArchive(file, form, tuple(dict.fromkeys(names)), frozenset(classes))
