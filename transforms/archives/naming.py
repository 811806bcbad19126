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
from fnmatch import translate

import pyarrow as pa

from transforms import storage
from transforms.archives.containers import Archive, Container, MemberTable
from transforms.archives.names import BY_FILE


def images_of_split(table: MemberTable) -> MemberTable:
    """Returns the images of a table's split alone, under the names that they have."""
    members = table.members
    folders = folders_below(table.archive, table.container)
    if folders is None:
        members = members.slice(0, 0)
    if table.archive.names != "*":
        matches = re.compile(translate(table.archive.names)).match
        kept = [matches(name) is not None for name in members["name"].to_pylist()]
        members = members if all(kept) else members.filter(pa.array(kept, pa.bool_()))
    if table.archive.naming != BY_FILE and members.num_rows:
        names = _name(table, members["name"].to_pylist(), folders or [])
        place = members.schema.get_field_index("name")
        members = members.set_column(
            place, members.schema.field("name"), pa.array(names, pa.string())
        )
    return table if members is table.members else table.with_members(members)


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
