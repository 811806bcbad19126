"""The conclusion on a dataset's files, split by split: totals, and what is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transforms import storage
from transforms.fields import convert
from transforms.verification.against_archives import (
    ArchivedImages,
    archived_labels,
    check_archived,
    join_images,
    name_records,
)
from transforms.verification.expectations import Expectations
from transforms.verification.files import FileCheck
from transforms.verification.findings import Findings, FindingsBuilder
from transforms.verification.inventory import HeldSplit
from transforms.verification.splits import (
    check_formats,
    check_labels,
    check_order,
    check_statistics,
    check_totals,
    expected_labels,
    gather_checks,
)


@dataclass(frozen=True, slots=True)
class Total:
    """The totals of a split in one format.

    Attributes:
        config: The configuration's name.
        format: The format.
        split: The split's name.
        files: Number of its files.
        examples: Number of records that could be read.
        bytes: Sum of the files' lengths.
        problems: Number of problems of its files.
    """

    config: str
    format: str
    split: str
    files: int
    examples: int
    bytes: int
    problems: int


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The conclusion on the files of a split.

    Attributes:
        totals: One of each format.
        findings: What is wrong.
    """

    totals: tuple[Total, ...]
    findings: Findings


def conclude_split(
    splits: Sequence[HeldSplit],
    checks: Iterable[FileCheck],
    archived: Sequence[ArchivedImages],
    class_names: Sequence[str],
    demands: Expectations,
) -> Conclusion:
    """Returns the conclusion on a split's files.

    Args:
        splits: What the documents say of the split in each format.
        checks: The result of each of its files, in any order.
        archived: What the archives have of it, in any order.
        class_names: The name of class ``i`` at position ``i``; empty where unknown.
        demands: What else the records are compared with.

    Raises:
        BuildError: An engine lost a file or a part.
    """
    by_path: dict[str, list[FileCheck]] = {}
    for check in checks:
        by_path.setdefault(check.file.path, []).append(check)
    name = splits[0].name
    every = [gather_checks(split, by_path) for split in splits]
    images = join_images(name, archived) if demands.archived else None
    findings = FindingsBuilder()
    findings.include(check.findings for checked in every for check in checked.checks)
    for whole in every:
        checked = whole if images is None else name_records(whole, images)
        names = checked.rows["name"]
        # The archives too may have an image in the tar of another class.
        expected = [expected_labels(names, demands.labellers.get(name), class_names)]
        if images is not None:
            expected.insert(0, archived_labels(names, images))
        check_order(checked, findings)
        check_labels(checked, expected, class_names, findings)
        if images is not None:
            listed = demands.listed.get(name, frozenset())
            check_archived(checked, images, listed, findings)
        if whole.whole:
            check_totals(whole, findings)
    for checked in every[1:]:
        check_formats(every[0], checked, findings)
    for checked in [c for c in every if c.whole][:1]:  # formats share their statistics
        check_statistics(checked, findings)
    found = findings.result()
    problems = found.by_file()
    totals = tuple(
        Total(
            config=checked.split.config,
            format=checked.split.format,
            split=checked.split.name,
            files=len(checked.checks),
            examples=checked.rows.num_rows,
            bytes=sum(check.size for check in checked.checks),
            problems=sum(problems[file.path] for file in checked.split.files),
        )
        for checked in every
    )
    return Conclusion(totals, found)


def conclusion_uri(directory: str, config: str, split: str) -> str:
    """Returns where the conclusion on a split is kept."""
    return storage.join(directory, f"{config}-{split}.json")


def read_conclusion(uri: str) -> Conclusion:
    """Returns a conclusion that a worker wrote.

    Raises:
        StorageError: It is not there: the engine lost it.
    """
    conclusion = convert(Conclusion, storage.read_json(uri), "", uri)
    assert isinstance(conclusion, Conclusion)
    return conclusion
