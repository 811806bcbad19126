"""Finds the archives of each split, in whatever form they are."""

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from beam_pipeline.config import LABEL_BY_INDEX, BuildConfig, SplitConfig
from transforms import storage
from transforms.archives import (
    FORMS,
    Archive,
    FoundArchive,
    Search,
    missing_parts,
    recognise,
    search,
)
from transforms.errors import ArchiveError, printable, sample
from transforms.storage import is_absolute

_LINK: Final = re.compile(r"https?://[^\s<>]*[^\s<>.,;:)]")
_SHOWN: Final = 3  # reasons why an archive may not be whole
_PATTERN: Final = frozenset("*?[")


def find_archives(
    config: BuildConfig, class_names: Sequence[str]
) -> dict[str, list[Archive]]:
    """Returns the archives of each split that has some, the lower layer first.

    Args:
        config: What is asked for.
        class_names: The name of class ``i`` at position ``i``.

    Raises:
        ArchiveError: A split has none, several are there to choose from, or one is not
            whole or damaged.
        StorageError: One can't be read.
    """
    finder = _Finder(config, frozenset(class_names))
    archives = {}
    for split in config.versions[config.version]:
        found = finder.find(split)
        if found:
            archives[split] = [
                *(finder.archive(split, each, 0) for each in found),
                *(finder.archive(split, each, 1) for each in finder.overlay(split)),
            ]
    return archives


def describe_archives(archives: Sequence[Archive]) -> list[str]:
    """Returns a line on each split: what its images are taken from, and where it is.

    Example:
        ``train: a folder of images, /data/train``
    """
    by_split: dict[str, list[str]] = {}
    for archive in archives:
        told = f"{FORMS[archive.form].noun}, {printable(archive.file.uri)}"
        by_split.setdefault(archive.split, []).append(told)
    return [f"{split}: {sample(told, 2)}" for split, told in by_split.items()]


def _expand(path: str, above: bool = False) -> list[str]:
    """Returns the files and folders that a path or pattern stands for.

    Args:
        path: A path, any part of which may be a pattern.
        above: Whether folders alone are meant.
    """
    folder, _, name = path.rpartition("/")
    folders = [folder] if _PATTERN.isdisjoint(folder) else _expand(folder, above=True)
    return [each for parent in folders for each in _matching(parent, name, above)]


def _matching(folder: str, name: str, above: bool) -> list[str]:
    """Returns what a folder has of a name, or else of those that a pattern matches.

    Args:
        folder: The folder.
        name: The name or pattern.
        above: Whether folders alone are meant.
    """
    entries = storage.list_entries(folder or "/")
    there = [entry.name for entry in entries if entry.size is None or not above]
    if name not in there and not _PATTERN.isdisjoint(name):
        names = [each for each in there if fnmatchcase(each, name)]
    else:
        names = [name] if name in there else []
    return [f"{folder}/{each}" for each in names]


class _Finder:
    """Looks for archives where the configuration says, or in manual_dir."""

    def __init__(self, config: BuildConfig, class_names: frozenset[str]) -> None:
        self._config = config
        self._class_names = class_names
        self._searched: Search | None = None

    def find(self, split: str) -> Sequence[FoundArchive]:
        """Returns what a split's images are taken from, overlays apart."""
        wanted = self._config.splits[split]
        found: Sequence[FoundArchive]
        if wanted.archives:
            found = self._named(split, wanted.archives)
        else:
            found = self._recognised(split, wanted)
        if found and not self._config.allow_missing:
            self._check_whole(split, wanted, found)
        return found

    def overlay(self, split: str) -> list[FoundArchive]:
        """Returns the first overlay of a split that is there, in a list."""
        paths = map(self._path, self._config.splits[split].overlays)
        there = next(filter(storage.exists, paths), None)
        return [] if there is None else self._recognise(split, there)

    def archive(self, split: str, found: FoundArchive, layer: int) -> Archive:
        """Returns a found archive as one of a split."""
        # An overlay is named: all of it is meant.
        names = "*" if layer else self._config.splits[split].names
        return Archive(
            *(split, found.file, found.form, layer, names, self._config.index_dir),
            root="" if layer else self._config.splits[split].root,
            naming=self._config.naming,
        )

    def _path(self, name: str) -> str:
        if is_absolute(name):
            return name
        return storage.join(self._config.manual_dir, name)

    def _recognise(self, split: str, uri: str) -> list[FoundArchive]:
        """Returns what a path is, or what lies beneath it."""
        root = self._config.splits[split].root
        folders = self._folders(split)
        known = recognise(uri, folders, root)
        if known is not None:
            return [known]
        beneath = search(uri, folders)
        found = [archive for archives in beneath.archives for archive in archives]
        if not found:
            nouns = ", ".join(form.noun for form in FORMS.values())
            raise ArchiveError(
                f"{uri} should hold images of the {split} split, and is none of "
                f"{nouns}."
            )
        lacking = (
            *beneath.damaged,
            *(f"{other} is no archive of images." for other in beneath.others),
            *(f"{folder} was not looked into." for folder in beneath.unseen),
        )
        return [replace(found[0], lacking=lacking), *found[1:]]

    def _folders(self, split: str) -> frozenset[str]:
        """Returns names of folders by which a folder is known to hold images."""
        wanted = self._config.splits[split]
        names = self._class_names | ({wanted.root} - {""})
        if wanted.labels == LABEL_BY_INDEX:
            names |= {str(number) for number in range(len(self._class_names))}
        return names

    def _named(self, split: str, names: Sequence[str]) -> list[FoundArchive]:
        """Returns the archives that a configuration names, each of which is there.

        One that is named twice, as by a pattern too, is taken once.
        """
        found: dict[str, FoundArchive] = {}
        for name in names:
            uris = _expand(self._path(name).rstrip("/"))
            if not uris:
                raise ArchiveError(
                    f"The archive of the {split} split is missing: there is no "
                    f"{self._path(name)}. {self._where_to_get_it()}"
                )
            for uri in uris:
                found |= {each.file.uri: each for each in self._recognise(split, uri)}
        return list(found.values())

    def _recognised(self, split: str, wanted: SplitConfig) -> Sequence[FoundArchive]:
        """Returns what holds images of a split's names in manual_dir."""
        if self._searched is None:
            overlays = [o for s in self._config.splits.values() for o in s.overlays]
            # Datasets built here hold images too, which may have been changed.
            passed_over = [*overlays, self._config.name]
            self._searched = search(
                self._config.manual_dir, self._class_names, passed_over
            )
        found = [
            archives
            for archives in self._searched.archives
            if any(archive.may_hold(wanted.names) for archive in archives)
        ]
        if len(found) > 1:
            shown = ", or ".join(
                f"{each[0].noun}, {each[0].file.uri}" for each in found
            )
            raise ArchiveError(
                f"Images of the {split} split are there more than once: {shown}. Say "
                f"which to take: --set splits.{split}.archives=[PATH]."
            )
        if found:
            return found[0]
        if wanted.optional and self._config.allow_missing:
            return []
        if self._searched.damaged:
            raise ArchiveError(" ".join(self._searched.damaged))
        raise ArchiveError(self._missing(split, wanted, self._searched))

    def _missing(self, split: str, wanted: SplitConfig, searched: Search) -> str:
        seen = [
            f"{archives[0].noun} {archives[0].file.uri}"
            + (f" of {archives[0].names[0]}" if archives[0].names else "")
            for archives in searched.archives
        ]
        there = f" What is there: {sample(seen)}." if seen else ""
        beside = (
            f" Beside class folders, and taken with these: "
            f"{sample(list(map(printable, searched.beside)))}. If the {split} split is "
            f"there, name it: --set splits.{split}.archives=[PATH]."
            if searched.beside
            else ""
        )
        others = (
            f" Without images, or of another form: {sample(list(searched.others))}."
            if searched.others
            else ""
        )
        without = " --allow_missing builds without it." if wanted.optional else ""
        return (
            f"The archive of the {split} split is missing: nothing in "
            f"{self._config.manual_dir} has images called {wanted.names}.{there}"
            f"{beside}{others} {self._where_to_get_it()}{without}"
        )

    def _where_to_get_it(self) -> str:
        text = self._config.about.manual_download
        if not text:  # of a dataset of one's own
            return "Say with --manual_dir where it is."
        page = _LINK.search(text)
        where = f"Get it from {page[0]}" if page else "Get it"
        register = " (you need to register)" if "egister" in text else ""
        return f"{where}{register}, or say with --manual_dir where it is."

    def _check_whole(
        self, split: str, wanted: SplitConfig, found: Sequence[FoundArchive]
    ) -> None:
        """Raises ArchiveError where parts or classes lack, as far as is known."""
        parts = missing_parts(found)
        if parts:
            raise ArchiveError(
                f"The {split} split lacks {len(parts):,} of its parts beside "
                f"{found[0].file.uri}: {sample(parts)}. Get them, or pass "
                "--allow_missing to build without them."
            )
        lacking = [reason for archive in found for reason in archive.lacking]
        if lacking:
            raise ArchiveError(
                f"Beside {found[0].file.uri} there may be more of the {split} split: "
                f"{' '.join(lacking[:_SHOWN])} Mend or remove it, name with --set "
                f"splits.{split}.archives=[PATH,…] what to take, or pass "
                "--allow_missing to build without."
            )
        classes = frozenset().union(*(archive.classes for archive in found))
        if classes and wanted.classes is not None and len(classes) < wanted.classes:
            missing = sorted(self._class_names - classes)
            raise ArchiveError(
                f"{found[0].file.uri} has {len(classes):,} of {wanted.classes:,} "
                f"classes; missing: {sample(missing)}. Unpack what lacks, or pass "
                "--allow_missing to build without them."
            )
