"""The forms that archives come in: how each is recognised, listed and read."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from transforms import storage
from transforms.archives.containers import (
    Archive,
    Container,
    ContainerBatch,
    MemberTable,
)
from transforms.archives.folder import (
    class_folders,
    find_folders,
    identify_folder,
    is_image_folder,
    list_folders,
    open_folder,
    sample_folder,
)
from transforms.archives.gzip.form import (
    file_in_gzip,
    find_in_gzip,
    is_gzip,
    open_gzip,
    sample_gzip,
    walk_in_gzip,
)
from transforms.archives.parquet.form import (
    ParquetMembers,
    find_in_parquet,
    is_parquet,
    sample_parquet,
    walk_in_parquet,
)
from transforms.archives.sources import MemberSource, open_stored
from transforms.archives.tar.class_tars import (
    class_tars,
    find_class_tars,
    holds_class_tars,
    identify_class_tars,
    open_class_tars,
    sample_class_tars,
    walk_class_tars,
)
from transforms.archives.tar.files import file_in_tar
from transforms.archives.tar.form import (
    find_in_tar,
    is_tar,
    sample_tar,
    walk_in_tar,
)
from transforms.archives.zip.form import (
    ZipMembers,
    file_in_zip,
    find_in_zip,
    is_zip,
    sample_zip,
    walk_in_zip,
)
from transforms.storage import Entry, FileInfo

PEEK: Final = 512  # bytes by which a file's form is recognised


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form of archive.

    Attributes:
        noun: What it is called, with an article.
        begins: Whether a file is of this form, by its first ``PEEK`` bytes.
        holds: Whether a folder is of this form, by its entries and the names of the
            known classes.
        parts: Returns the entries of such a folder that its containers are made of, by
            the containers' names.
        identify: Returns what identifies the present state of an archive.
        sample: Returns the paths of an archive's first few images, or of all where
            that costs no more; they show which splits it holds.
        find: Returns an archive's containers, from as little of it as shows them.
        walk: Returns the members of containers, in order: one table for each, or more
            where an archive that is walked as a whole turns out to have several.
        file: Returns a file of an archive that is no image, by its path; None where
            there is none, or where the form has images alone.
        open: Opens an archive for its images to be read.
        offsets: What they count in: the archive's ``file``; a ``stream`` that it is
            decoded to; or the files of a ``folder``.
        keeps_index: Whether what is listed is worth keeping for the next run.
    """

    noun: str
    begins: Callable[[bytes], bool] = lambda start: False
    holds: Callable[[Sequence[Entry], Collection[str]], bool] = lambda *_: False
    parts: Callable[[Sequence[Entry]], Mapping[str, str]] = lambda _: {}
    identify: Callable[[str], FileInfo] = storage.file_info
    sample: Callable[[Archive], Sequence[str]]
    find: Callable[[Archive], tuple[Container, ...]]
    walk: Callable[[Archive, tuple[Container, ...]], list[MemberTable]]
    open: Callable[[Archive], MemberSource]
    file: Callable[[Archive, str], bytes | None] = lambda *_: None
    offsets: Literal["file", "stream", "folder"] = "file"
    keeps_index: bool = True


FORMS: Final[Mapping[str, Form]] = {
    "tar": Form(
        noun="a tar",
        begins=is_tar,
        sample=sample_tar,
        find=find_in_tar,
        walk=walk_in_tar,
        open=open_stored,
        file=file_in_tar,
    ),
    "folder": Form(
        noun="a folder of images",
        holds=is_image_folder,
        parts=class_folders,
        identify=identify_folder,
        sample=sample_folder,
        find=find_folders,
        walk=list_folders,
        open=open_folder,
        offsets="folder",
        keeps_index=False,
    ),
    "tars": Form(
        noun="a folder of class tars",
        holds=holds_class_tars,
        parts=class_tars,
        identify=identify_class_tars,
        sample=sample_class_tars,
        find=find_class_tars,
        walk=walk_class_tars,
        open=open_class_tars,
        offsets="folder",
    ),
    "parquet": Form(
        noun="a Parquet file",
        begins=is_parquet,
        sample=sample_parquet,
        find=find_in_parquet,
        walk=walk_in_parquet,
        open=ParquetMembers,
    ),
    "tar.gz": Form(
        noun="a tar in a gzip file",
        begins=is_gzip,
        sample=sample_gzip,
        find=find_in_gzip,
        walk=walk_in_gzip,
        open=open_gzip,
        file=file_in_gzip,
        offsets="stream",
    ),
    "zip": Form(
        noun="a zip",
        begins=is_zip,
        sample=sample_zip,
        find=find_in_zip,
        walk=walk_in_zip,
        open=ZipMembers,
        file=file_in_zip,
    ),
}


def find_containers(archive: Archive) -> tuple[Container, ...]:
    """Returns an archive's containers, from as little of it as shows them.

    Raises:
        ArchiveError: The archive is damaged, or of another form.
        StorageError: It can't be read.
    """
    return FORMS[archive.form].find(archive)


def walk_containers(batch: ContainerBatch) -> list[MemberTable]:
    """Returns the members of the containers of a batch, in order.

    Raises:
        ArchiveError: A container is damaged.
        StorageError: The archive can't be read, or has changed.
    """
    return FORMS[batch.archive.form].walk(batch.archive, batch.containers)
