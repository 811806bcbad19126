"""What a dataset's files come to, split by split: totals, and all that is wrong."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import apache_beam as beam

from transforms import storage
from transforms.archived import (
    ArchivedImages,
    archived_labels,
    check_archived,
    join_images,
)
from transforms.comparison import (
    check_formats,
    check_labels,
    check_order,
    check_statistics,
    check_totals,
    expected_labels,
    gather_checks,
)
from transforms.fields import convert
from transforms.findings import Findings, FindingsBuilder
from transforms.holdings import HeldSplit, Holding
from transforms.labels import Labeller
from transforms.verification import FileCheck


@dataclass(frozen=True, slots=True)
class Demands:
    """What records are held against besides what the dataset's documents say.

    Attributes:
        labellers: How the images of each split are labelled, where that is known.
        listed: The names that a split should have; a split that may lack some, or is
            not cut down to a list, has no entry.
        archived: Whether the images of the archives are there to compare.
    """

    labellers: Mapping[str, Labeller]
    listed: Mapping[str, frozenset[str]]
    archived: bool


@dataclass(frozen=True, slots=True)
class Total:
    """What a split came to in one format.

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
    """What the files of a split came to.

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
    demands: Demands,
) -> Conclusion:
    """Returns what a split's files came to.

    Args:
        splits: What the documents say of the split in each format.
        checks: What each of its files showed, in any order.
        archived: What the archives have of it, in any order.
        class_names: The name of class ``i`` at position ``i``; empty where unknown.
        demands: What else the records are held against.

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
    for checked in every:
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
        if checked.whole:
            check_totals(checked, findings)
    for checked in every[1:]:
        check_formats(every[0], checked, findings)
    whole = [checked for checked in every if checked.whole]
    if whole:  # formats in one directory share their statistics
        check_statistics(whole[0], findings)
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


@dataclass
class ConcludeSplits(beam.PTransform):  # type: ignore[misc]
    """Brings together what the files of a split showed, and writes what it came to.

    Attributes:
        holdings: What the documents say.
        demands: What else records are held against, by configuration.
        directory: Takes a document for each split.
    """

    holdings: Sequence[Holding]
    demands: Mapping[str, Demands]
    directory: str

    def expand(
        self, found: beam.PCollection[FileCheck | ArchivedImages]
    ) -> beam.PCollection[str]:
        """Gathers each split on one worker; gives where its conclusion lies."""
        return (
            found
            | "KeyBySplit" >> beam.Map(self._key_by_split)
            | "GroupBySplit" >> beam.GroupByKey()
            | "Conclude" >> beam.Map(self._conclude)
        )

    def _key_by_split(
        self, item: FileCheck | ArchivedImages
    ) -> tuple[tuple[str, str], FileCheck | ArchivedImages]:
        place = item.file if isinstance(item, FileCheck) else item
        return (place.config, place.split), item

    def _conclude(
        self, group: tuple[tuple[str, str], Iterable[FileCheck | ArchivedImages]]
    ) -> str:
        (config, split), items = group[0], list(group[1])
        (holding,) = [h for h in self.holdings if h.config == config]
        conclusion = conclude_split(
            [held for held in holding.splits if held.name == split],
            [item for item in items if isinstance(item, FileCheck)],
            [item for item in items if isinstance(item, ArchivedImages)],
            holding.class_names,
            self.demands[config],
        )
        uri = conclusion_uri(self.directory, config, split)
        storage.publish_bytes(uri, json.dumps(asdict(conclusion)).encode())
        return uri
