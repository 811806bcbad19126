"""Read byte ranges and publish files whole, on disks and object storage."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.storage.backend import (
        Entry,
        FileInfo,
        FilesReader,
        Part,
        RangeReader,
        Sink,
    )
    from transforms.storage.claims import exclusive, sweep
    from transforms.storage.direct import stop_writing
    from transforms.storage.files import (
        base_name,
        exists,
        file_info,
        free_bytes,
        hash_file,
        is_local,
        is_unfinished,
        join,
        list_entries,
        list_folders,
        list_names,
        local_copy,
        make_directory,
        open_file,
        open_files,
        open_reader,
        publish,
        publish_bytes,
        publish_staged,
        read_bytes,
        read_json,
        remove,
        remove_tree,
        sha256,
    )
    from transforms.storage.leases import release_all
    from transforms.storage.publication import Pieces, Publication
    from transforms.storage.uris import absolute, is_absolute, short_names
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "Entry",
    "FileInfo",
    "FilesReader",
    "Part",
    "Pieces",
    "Publication",
    "RangeReader",
    "Sink",
    "absolute",
    "base_name",
    "exclusive",
    "exists",
    "file_info",
    "free_bytes",
    "hash_file",
    "is_absolute",
    "is_local",
    "is_unfinished",
    "join",
    "list_entries",
    "list_folders",
    "list_names",
    "local_copy",
    "make_directory",
    "open_file",
    "open_files",
    "open_reader",
    "publish",
    "publish_bytes",
    "publish_staged",
    "read_bytes",
    "read_json",
    "release_all",
    "remove",
    "remove_tree",
    "sha256",
    "short_names",
    "stop_writing",
    "sweep",
]
