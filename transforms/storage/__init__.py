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
        file_digest,
        file_info,
        free_bytes,
        has_content,
        hash_file,
        is_local,
        is_unfinished,
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
    )
    from transforms.storage.hashes import (
        CHECKSUM,
        CHECKSUMS,
        Checksum,
        bytes_digest,
        checksum_of,
    )
    from transforms.storage.leases import release_all
    from transforms.storage.publication import Pieces, Publication
    from transforms.storage.uris import (
        absolute,
        is_absolute,
        join,
        locate,
        short_names,
    )
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "CHECKSUM",
    "CHECKSUMS",
    "Checksum",
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
    "bytes_digest",
    "checksum_of",
    "exclusive",
    "exists",
    "file_digest",
    "file_info",
    "free_bytes",
    "has_content",
    "hash_file",
    "is_absolute",
    "is_local",
    "is_unfinished",
    "join",
    "list_entries",
    "list_folders",
    "list_names",
    "local_copy",
    "locate",
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
    "short_names",
    "stop_writing",
    "sweep",
]
