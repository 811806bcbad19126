"""Where every image lies, and how its bytes are read."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.archives.containers import (
        MEMBER_SCHEMA,
        Archive,
        Container,
        MemberBatch,
        MemberTable,
        Place,
        count_kept,
    )
    from transforms.archives.forms import FORMS
    from transforms.archives.index import index_path, open_index
    from transforms.archives.names import BY_FILE, PLACEHOLDERS, image_name
    from transforms.archives.reading import open_members
    from transforms.archives.recognition import (
        FoundArchive,
        Search,
        missing_parts,
        read_file_within,
        recognise,
        search,
    )
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "BY_FILE",
    "FORMS",
    "MEMBER_SCHEMA",
    "PLACEHOLDERS",
    "Archive",
    "Container",
    "FoundArchive",
    "MemberBatch",
    "MemberTable",
    "Place",
    "Search",
    "count_kept",
    "image_name",
    "index_path",
    "missing_parts",
    "open_index",
    "open_members",
    "read_file_within",
    "recognise",
    "search",
]
