"""Checks across the files of a split: totals, order, labels, formats."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.errors import require_whole
from transforms.formats import MANIFEST, example_sizes, list_sizes
from transforms.planning import (
    UNLABELLED,
    LabelByName,
    Labeller,
    Unlabelled,
    labels_by_name,
    order_keys,
)
from transforms.verification.directory import STATISTICS, differences
from transforms.verification.expectations import ExpectedLabels
from transforms.verification.files import RECORDS, FileCheck, misplaced, names_records
from transforms.verification.findings import Check, FindingsBuilder
from transforms.verification.inventory import HeldSplit


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """A split in one format as it was reread.

    Attributes:
        split: What the documents say of it.
        checks: The result of each file, in order.
        rows: The records that could be read: ``RECORDS``, and the position of the file.
    """

    split: HeldSplit
    checks: tuple[FileCheck, ...]
    rows: pa.Table

    @property
    def whole(self) -> bool:
        """Whether every record could be read."""
        return all(check.whole for check in self.checks)

    def report(
        self, findings: FindingsBuilder, row: int, check: Check, message: str
    ) -> None:
        """Adds a problem of the record in a row."""
        file = self.split.files[self.rows["file"][row].as_py()]
        findings.add(file.path, check, message, self.rows["record"][row].as_py())


def gather_checks(
    split: HeldSplit, by_path: Mapping[str, list[FileCheck]]
) -> SplitCheck:
    """Returns a split as it was reread.

    Args:
        split: What the documents say of it.
        by_path: The results of the files, by path.

    Raises:
        BuildError: An engine lost or repeated one.
    """
    tables, checks = [], []
    for index, file in enumerate(split.files):
        arrived = by_path.get(file.path, [])
        require_whole(
            len(arrived) == 1, f"{file.path} was checked {len(arrived)} times."
        )
        checks.append(arrived[0])
        position = np.full(arrived[0].records.num_rows, index, np.int32)
        tables.append(arrived[0].records.append_column("file", pa.array(position)))
    empty = RECORDS.empty_table().append_column("file", pa.array([], pa.int32()))
    return SplitCheck(split, tuple(checks), pa.concat_tables([empty, *tables]))


def _example_bytes(checked: SplitCheck) -> int:
    rows = checked.rows
    names = pc.binary_length(rows["name"]).to_numpy().astype(np.int64)
    lists = list_sizes(rows["labels"].combine_chunks())
    sizes, labels = rows["image_bytes"].to_numpy(), rows["label"].to_numpy()
    features = checked.split.schema.features
    return int(example_sizes(names, sizes, labels, features, lists).sum())


def check_totals(checked: SplitCheck, findings: FindingsBuilder) -> None:
    """Compares the number of records and bytes with what the documents say."""
    split = checked.split
    for what, said, found in (
        ("examples", split.examples, checked.rows.num_rows),
        ("bytes of examples", split.example_bytes, _example_bytes(checked)),
    ):
        if said != found:
            findings.add(
                split.source,
                "count",
                f"It says that {split.name} has {said:,} {what}, and the records as "
                f"{split.format} come to {found:,}.",
            )


def check_statistics(checked: SplitCheck, findings: FindingsBuilder) -> None:
    """Compares what ``statistics.json`` counts with the records."""
    split, said = checked.split, checked.split.statistics
    if not said:
        return
    labels = Counter(map(str, checked.rows["label"].to_pylist()))
    counted = said.get("labels")
    encodings: Counter[str] = Counter()
    for check in checked.checks:
        encodings.update(check.encodings)
    found: dict[str, Any] = {
        "examples": checked.rows.num_rows,
        "image_bytes": pc.sum(checked.rows["image_bytes"]).as_py() or 0,
        "example_bytes": _example_bytes(checked),
        # A label that the document has and no record is one with no image.
        "labels": dict.fromkeys(counted if isinstance(counted, dict) else (), 0)
        | labels,
    }
    if encodings:
        found["encodings"] = encodings
    for difference in differences(found, said):
        findings.add(
            split.source.removesuffix(MANIFEST) + STATISTICS,
            "count",
            f"Of {split.name} it has another number than the records: {difference}.",
        )


def check_order(checked: SplitCheck, findings: FindingsBuilder) -> None:
    """Checks the order where one file ends and the next begins."""
    if not all(map(names_records, checked.split.files)):
        return
    order = checked.split.schema.order
    starts = np.flatnonzero(np.diff(checked.rows["file"].to_numpy(), prepend=-1))
    for start in starts[1:].tolist():
        pair = checked.rows["name"].slice(start - 1, 2).to_pylist()
        before, after = order_keys(pair, checked.split.name, order).to_pylist()
        if before >= after:
            checked.report(findings, start, "order", misplaced(*pair))


def expected_labels(
    names: pa.ChunkedArray, labeller: Labeller | None, class_names: Sequence[str]
) -> ExpectedLabels:
    """Returns the labels that records should have.

    Args:
        names: Their file names.
        labeller: How the split's images are labelled; None where that is not known.
        class_names: The name of class ``i`` at position ``i``.
    """
    if isinstance(labeller, LabelByName):
        listed = labeller.listed
        labels = look_up(names, listed["name"], listed["label"])
        return ExpectedLabels(labels, labeller.source, complete=True)
    if isinstance(labeller, Unlabelled):
        none = pa.array(np.full(len(names), UNLABELLED))
        return ExpectedLabels(none, "the configuration")
    return ExpectedLabels(labels_by_name(names, class_names), "its name")


def check_labels(
    checked: SplitCheck,
    expected: Sequence[ExpectedLabels],
    class_names: Sequence[str],
    findings: FindingsBuilder,
) -> None:
    """Compares each record's label with those it should have.

    Args:
        checked: The records.
        expected: The labels they should have, by one source or several; of those that
            contradict a label the first is reported.
        class_names: The name of class ``i`` at position ``i``; empty where unknown.
        findings: Takes the problems.
    """
    names, labels = checked.rows["name"], checked.rows["label"].to_numpy()
    most = len(class_names) or np.iinfo(np.int64).max
    outside = (labels < UNLABELLED) | (labels >= most)
    lonely = (labels == UNLABELLED) & bool((labels != UNLABELLED).any())
    named = np.zeros(len(labels), np.bool_)  # by a source, right or wrong
    said: dict[int, str] = {}
    for source in expected:
        known = source.labels.is_valid().to_numpy(zero_copy_only=False)
        wanted = source.labels.fill_null(0).to_numpy()
        for row in np.flatnonzero(known & (wanted != labels)).tolist():
            should = _in_words(wanted[row], class_names)
            said.setdefault(row, f"and by {source.source} it has {should}")
        named |= known
    for row in np.flatnonzero(outside).tolist():
        said.setdefault(row, f"and labels end at {most - 1:,}")
    for source in expected:
        if source.complete:
            for row in np.flatnonzero(~named).tolist():
                said.setdefault(row, f"and {source.source} does not name it")
    for row in np.flatnonzero(lonely & ~named).tolist():
        said.setdefault(row, "and other records of the split have one")
    for row, problem in sorted(said.items()):
        has = _in_words(labels[row], class_names)
        message = f"{names[row].as_py()} has {has}, {problem}."
        checked.report(findings, row, "label", message)


def _in_words(label: int, class_names: Sequence[str]) -> str:
    if label == UNLABELLED:
        return "no label"
    name = f" ({class_names[label]})" if 0 <= label < len(class_names) else ""
    return f"label {label:,}{name}"


def look_up(
    names: pa.ChunkedArray, known: pa.ChunkedArray, values: pa.ChunkedArray
) -> pa.Array:
    """Returns each name's value, null for names that are not known."""
    rows = pc.index_in(names.combine_chunks(), value_set=known.combine_chunks())
    return values.combine_chunks().take(rows)


def check_formats(
    one: SplitCheck, other: SplitCheck, findings: FindingsBuilder
) -> None:
    """Compares each file with that of another format with the same records."""
    for ours, theirs in zip(one.checks, other.checks, strict=False):
        if ours.records == theirs.records or not (ours.whole and theirs.whole):
            continue
        columns = ["name", "label", "labels", "digest"]
        rows = ours.records.select(columns).to_pylist()
        others = theirs.records.select(columns).to_pylist()
        for record, (row, found) in enumerate(zip(rows, others, strict=False)):
            if row != found:
                apart = ", ".join(key for key in columns if row[key] != found[key])
                findings.add(
                    theirs.file.path,
                    "format",
                    f"{found['name']} is not what {ours.file.path} has there, "
                    f"{row['name']}: they differ in {apart}.",
                    record,
                )
