"""What the images of a split are called, by where they lie in their archive.

Most datasets call an image by its file: ``n01440764_36.JPEG``. Where classes have
files of one name, the class is a part of it, or the whole path. A template says which,
with these placeholders::

    {file}    the file's name in the normal form (``names``)
    {stem}    the same without its extension
    {class}   the folder that the file lies in, or the class tar
    {path}    the file's path, from below the split's root
    {root}    that root

The root is a folder of the archive, ``train`` or ``data_256``. Paths are counted from
it, however the archive was packed, and images that lie elsewhere are not the split's.
"""

import re
from dataclasses import replace
from fnmatch import translate

import numpy as np
import pyarrow as pa

from transforms import storage
from transforms.archives.containers import (
    Archive,
    Container,
    MemberBatch,
    MemberTable,
)
from transforms.archives.names import BY_FILE


def images_of_split(batch: MemberBatch) -> MemberBatch:
    """Returns the images of a batch's split alone, under the names that they have."""
    archive = batch.archive
    folders = [folders_below(archive, each.container) for each in batch.containers]
    kept = batch.for_members([each is not None for each in folders])
    if archive.names != "*":
        matches = re.compile(translate(archive.names)).match
        names = batch.members["name"].to_pylist()
        kept = kept & np.array([matches(name) is not None for name in names], np.bool_)
    if not kept.all():
        batch = batch.filter(kept)
    if archive.naming == BY_FILE or not batch.members.num_rows:
        return batch
    names = [
        name
        for table, path in zip(batch.tables(), folders, strict=True)
        for name in _name(table, table.members["name"].to_pylist(), path or [])
    ]
    members = batch.members
    place = members.schema.get_field_index("name")
    field = members.schema.field("name")
    renamed = members.set_column(place, field, pa.array(names, pa.string()))
    return replace(batch, members=renamed)


def folders_below(archive: Archive, container: Container) -> list[str] | None:
    """Returns the folders between an archive's root and a container's images.

    None where the container does not lie below the root.
    """
    folders = [each for each in container.folder.split("/") if each]
    if not folders and container.name:
        folders = [container.name]  # a class tar
    if not archive.root:
        return folders
    folders = [storage.base_name(archive.file.uri), *folders]
    if archive.root not in folders:
        return None
    return folders[folders.index(archive.root) + 1 :]


def _name(table: MemberTable, names: list[str], folders: list[str]) -> list[str]:
    """Returns what the template makes of files' names."""
    path = "".join(f"{folder}/" for folder in folders)
    known = {"class": table.container.name, "root": table.archive.root}
    template = table.archive.naming
    return [
        template.format_map(
            {**known, "file": name, "stem": _stem(name), "path": path + name}
        )
        for name in names
    ]


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
