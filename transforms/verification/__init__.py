"""Reread a dataset, and compare it with its documents and its archives."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.verification.against_archives import archives_label
    from transforms.verification.conclusion import (
        Conclusion,
        Total,
        conclusion_uri,
        read_conclusion,
    )
    from transforms.verification.directory import STATISTICS
    from transforms.verification.expectations import Expectations
    from transforms.verification.files import unread_files
    from transforms.verification.findings import Findings, FindingsBuilder, Problem
    from transforms.verification.inventory import (
        HeldSplit,
        Holding,
        ImageCheck,
        ShardFile,
    )
    from transforms.verification.reading import take_inventory
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "STATISTICS",
    "Conclusion",
    "Expectations",
    "Findings",
    "FindingsBuilder",
    "HeldSplit",
    "Holding",
    "ImageCheck",
    "Problem",
    "ShardFile",
    "Total",
    "archives_label",
    "conclusion_uri",
    "read_conclusion",
    "take_inventory",
    "unread_files",
]
