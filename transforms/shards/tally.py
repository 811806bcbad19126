"""The reports of all shards, added up and checked."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain

from transforms.archives import Archive, Place, open_members
from transforms.errors import BuildError, StorageError
from transforms.formats import Source, SplitCounts, SplitFacts
from transforms.shards.members import Rejected
from transforms.shards.report import ShardReport
from transforms.statistics import Statistics, merge, rename_archives
from transforms.storage import short_names

ReadSource = Callable[[Source], bytes]


@dataclass(frozen=True, slots=True)
class Tally:
    """The result of building all shards.

    Attributes:
        wanted: Number of images that were selected.
        splits: Each format's splits, in the order they are listed.
        statistics: What was counted of the images that were written, by split.
        rejected: The images that were not, by split.
        counts: How each split came to its number of examples.
        archives: What they all lie in, by the names that images have for them.
    """

    wanted: int
    splits: Mapping[str, tuple[SplitFacts, ...]]
    statistics: Mapping[str, Statistics]
    rejected: Mapping[str, tuple[Rejected, ...]]
    counts: Mapping[str, SplitCounts]
    archives: Mapping[str, Archive]


def add_up(
    splits: Iterable[str], formats: Iterable[str], reports: Iterable[ShardReport]
) -> Tally:
    """Returns the sum of the shards' reports.

    Args:
        splits: The splits that there should be, in order.
        formats: The formats that each shard should have.
        reports: One of each shard, in any order.

    Raises:
        BuildError: An image was neither written nor rejected.
        StorageError: A shard has no report.
    """
    reports = sorted(reports, key=lambda report: report.index)
    by_split = {
        split: [report for report in reports if report.split == split]
        for split in splits
    }
    for split, found in by_split.items():
        _check_complete(split, found)
        for report in found:
            _check_counts(report)
    archives = {
        archive.file.uri: archive
        for archive in chain.from_iterable(report.archives for report in reports)
    }
    # Documents don't say where an archive lies, only which it is.
    names = short_names(archives)
    statistics = {
        split: rename_archives(merge(report.statistics for report in found), names)
        for split, found in by_split.items()
    }
    rejected = {
        split: tuple(
            replace(image, source=image.source.renamed(names))
            for image in chain.from_iterable(report.rejected for report in found)
        )
        for split, found in by_split.items()
    }
    return Tally(
        wanted=sum(report.wanted for report in reports),
        splits={
            name: tuple(
                _list_files(split, name, statistics[split], found)
                for split, found in by_split.items()
            )
            for name in formats
        },
        statistics=statistics,
        rejected=rejected,
        counts={
            split: replace(found[0].counts, rejected=len(rejected[split]))
            for split, found in by_split.items()
        },
        archives={names[uri]: archive for uri, archive in archives.items()},
    )


def _list_files(
    split: str, name: str, statistics: Statistics, reports: list[ShardReport]
) -> SplitFacts:
    """Returns a split's files in a format, and what they hold."""
    return SplitFacts(
        split,
        statistics.examples,
        statistics.example_bytes,
        tuple(chain.from_iterable(report.files[name] for report in reports)),
    )


@contextmanager
def open_sources(archives: Mapping[str, Archive]) -> Iterator[ReadSource]:
    """Gives a function that reads an image's bytes where they lie in the archives.

    Args:
        archives: The archives by the names that images have for them.
    """
    positions = {name: position for position, name in enumerate(archives)}
    with open_members(archives.values()) as members:
        yield lambda source: members.read(
            Place(
                positions[source.archive],
                source.file,
                source.offset,
                source.size,
                source.detail,
            )
        )


def _check_complete(split: str, reports: list[ShardReport]) -> None:
    indices = [report.index for report in reports]
    if not reports or indices != list(range(reports[0].count)):
        raise StorageError(
            f"The {split} split is not complete: of "
            f"{reports[0].count if reports else 'an unknown number of'} shards, "
            f"{indices} were reported. Rerun; the shards that are there are kept."
        )


def _check_counts(report: ShardReport) -> None:
    """Raises BuildError where a shard's images do not add up."""
    counted = report.statistics.examples
    written = {
        name: sum(f.examples for f in report.files[name]) for name in report.files
    }
    if counted + len(report.rejected) != report.wanted or {*written.values()} != {
        counted
    }:
        raise BuildError(
            f"Shard {report.index} of the {report.split} split does not add up: of "
            f"{report.wanted:,} images {counted:,} were counted, "
            f"{len(report.rejected):,} rejected, and written were {written}. This is "
            "an error of this program; report it."
        )
