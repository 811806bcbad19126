"""The problems of a dataset, a bounded number of each file.

A dataset may be wrong in every record, and a list of a million problems is of no use.
The first few of each file are kept, and the others are counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

# What did not hold.
Check = Literal[
    "file",  # it is there, can be read, and is listed
    "hash",  # its length and its hash are the manifest's
    "framing",  # its format's own checks hold
    "count",  # it, and all files together, have as many records as is said
    "order",  # records are in the order of their keys
    "label",  # a record has the label that it should have
    "image",  # an image is one
    "document",  # a document can be read, and says what the others say
    "format",  # one format holds what the other holds
    "archive",  # an image is that of the archive, and all of those are there
]

MOST_LISTED: Final = 20  # problems of a file


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be.

    Attributes:
        file: The file, as a path below the directory that is verified.
        check: What did not hold.
        message: What was found, and what was expected.
        record: Position of the record in its file, from 0; None where the problem is
            not one record's.
    """

    file: str
    check: Check
    message: str
    record: int | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """Problems.

    Attributes:
        listed: The first of each file, in the order in which they were found.
        omitted: How many more a file has, for files that have more.
    """

    listed: tuple[Problem, ...] = ()
    omitted: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of problems, those that are not listed too."""
        return len(self.listed) + sum(self.omitted.values())

    def by_file(self) -> Counter[str]:
        """Returns the number of problems of each file."""
        return Counter(problem.file for problem in self.listed) + Counter(self.omitted)


class FindingsBuilder:
    """Collects problems; for one thread at a time."""

    def __init__(self) -> None:
        """Begins with none."""
        self._listed: dict[str, list[Problem]] = {}
        self._omitted: Counter[str] = Counter()

    def add(
        self, file: str, check: Check, message: str, record: int | None = None
    ) -> None:
        """Takes a problem; the parameters are those of ``Problem``."""
        listed = self._listed.setdefault(file, [])
        if len(listed) < MOST_LISTED:
            listed.append(Problem(file, check, message, record))
        else:
            self._omitted[file] += 1

    def include(self, others: Iterable[Findings]) -> None:
        """Adds problems that were found elsewhere."""
        for findings in others:
            for problem in findings.listed:
                self.add(problem.file, problem.check, problem.message, problem.record)
            self._omitted.update(findings.omitted)

    def result(self) -> Findings:
        """Returns the problems, file by file in the order of the files' names."""
        return Findings(
            tuple(
                problem
                for file in sorted(self._listed)
                for problem in sorted(self._listed[file], key=_place)
            ),
            dict(sorted(self._omitted.items())),
        )


def _place(problem: Problem) -> int:
    """Returns where a problem comes among its file's: those of no record first."""
    return -1 if problem.record is None else problem.record
