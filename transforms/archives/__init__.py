"""Where every image lies, and how its bytes are read."""

from transforms.archives.containers import (
    MEMBER_SCHEMA,
    Archive,
    Container,
    Layout,
    MemberTable,
)
from transforms.archives.index import index_path, open_index

__all__ = [
    "MEMBER_SCHEMA",
    "Archive",
    "Container",
    "Layout",
    "MemberTable",
    "index_path",
    "open_index",
]
