"""Where every image lies, and how its bytes are read."""

from transforms.archives.containers import (
    MEMBER_SCHEMA,
    Archive,
    Container,
    Layout,
    MemberTable,
)
from transforms.archives.index import index_path, open_index
from transforms.archives.reading import Place, open_members

__all__ = [
    "MEMBER_SCHEMA",
    "Archive",
    "Container",
    "Layout",
    "MemberTable",
    "Place",
    "index_path",
    "open_index",
    "open_members",
]
