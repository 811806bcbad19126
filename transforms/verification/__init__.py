"""Reread a dataset and hold it against its documents and its archives."""

from transforms.verification.conclusion import (
    Conclusion,
    Total,
    conclusion_uri,
    read_conclusion,
)
from transforms.verification.directory import STATISTICS
from transforms.verification.expectations import Expectations
from transforms.verification.files import ImageCheck
from transforms.verification.findings import Findings, FindingsBuilder, Problem
from transforms.verification.inventory import (
    HeldSplit,
    Holding,
    Inventory,
    ShardFile,
    archives_label,
    unread_files,
)
from transforms.verification.reading import take_inventory

__all__ = [
    "STATISTICS",
    "Conclusion",
    "Expectations",
    "Findings",
    "FindingsBuilder",
    "HeldSplit",
    "Holding",
    "ImageCheck",
    "Inventory",
    "Problem",
    "ShardFile",
    "Total",
    "archives_label",
    "conclusion_uri",
    "read_conclusion",
    "take_inventory",
    "unread_files",
]
