"""Whether all of a split is there: what engines move, and what archives should hold.

A configuration may state how many images an archive has, and how many a split comes to.
An archive of the right length whose end is a hole looks whole by all but its numbers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives import Archive
from transforms.errors import ArchiveError, BuildError, SubsetError, sample
from transforms.facts import SplitCounts
from transforms.partition import PartitionSummary
from transforms.partition_faults import SHOWN
from transforms.split_faults import hint_at_spelling
from transforms.subsets import SubsetList

LOST: Final = (
    "The engine lost or repeated some; rerun, and report it if it happens again."
)


@dataclass(frozen=True, slots=True)
class StatedNumbers:
    """What a configuration states of a split; None where it states nothing.

    Attributes:
        members: Number of images in its archive, overlays apart.
        examples: Number of images it comes to, before any limit or rejection.
    """

    members: int | None = None
    examples: int | None = None


def check_arrived(archives: Sequence[Archive], arrived: pa.Table) -> None:
    """Raises BuildError where an engine lost or repeated a container's table."""
    for number, archive in enumerate(archives):
        ours = arrived.filter(pc.field("archive") == number)
        positions = Counter(ours["position"].to_pylist())
        total = ours["total"][0].as_py() if positions else None
        if len(positions) != total or {*positions.values()} != {1}:
            of = f"the {total:,}" if total else "those"
            raise BuildError(
                f"{ours.num_rows:,} tables of {len(positions):,} containers arrived to "
                f"be planned, of {of} that {archive.file.uri} has. {LOST}"
            )


def check_partitions(
    split: str,
    partitions: int,
    arrived: pa.Table,
    summaries: Sequence[PartitionSummary],
) -> None:
    """Raises BuildError where an engine lost or repeated rows on their way."""
    numbers = [summary.partition for summary in summaries]
    rows = sum(summary.arrived for summary in summaries)
    sent = pc.sum(arrived["rows"]).as_py()
    if numbers != list(range(partitions)) or rows != sent:
        raise BuildError(
            f"{rows:,} rows in {len(numbers):,} partitions arrived to be planned, of "
            f"the {sent:,} in {partitions:,} of the {split} split. {LOST}"
        )


def check_complete(
    split: str,
    archives: Sequence[Archive],
    arrived: pa.Table,
    summaries: Sequence[PartitionSummary],
    subset: SubsetList | None,
    stated: StatedNumbers,
    *,
    allow_missing: bool,
) -> tuple[SplitCounts, tuple[str, ...]]:
    """Returns how many images there are, and lack, if that is allowed.

    Args:
        split: The split.
        archives: Its archives, as rows name them.
        arrived: Rows of ``ARRIVAL_SCHEMA``.
        summaries: One of each of its partitions.
        subset: The list it is cut down to; None for all images.
        stated: The numbers that the configuration states of it. That of examples is
            held against the images of a split without a list, for a list is held
            against it before.
        allow_missing: Whether there may be fewer than there should be.

    Returns:
        The numbers, and the first ``SHOWN`` names of the list that are not there.

    Raises:
        ArchiveError: There is no image, or another number than is stated.
        SubsetError: The list selects nothing, or names what is not there.
    """
    uris = " and ".join(archive.file.uri for archive in archives)
    kept = sum(summary.rows for summary in summaries)
    missing = 0
    names: tuple[str, ...] = ()
    if subset is not None:
        missing, names = _find_missing(
            uris, arrived, summaries, subset, allow_missing=allow_missing
        )
    elif not kept:
        raise ArchiveError(f"{uris} holds no image for the {split} split.")
    members = _count_members(archives, arrived)
    base = " and ".join(archive.file.uri for archive in archives if not archive.layer)
    missing_members = _count_lacking(
        f"{base} has {members:,} images",
        members,
        f"splits.{split}.members",
        stated.members,
        allow_missing=allow_missing,
    )
    if subset is None:
        missing = _count_lacking(
            f"{uris} gives the {split} split {kept:,} examples",
            kept,
            f"splits.{split}.examples",
            stated.examples,
            allow_missing=allow_missing,
        )
    return SplitCounts(members, missing_members, missing), names


def _find_missing(
    uris: str,
    arrived: pa.Table,
    summaries: Sequence[PartitionSummary],
    subset: SubsetList,
    *,
    allow_missing: bool,
) -> tuple[int, tuple[str, ...]]:
    """Returns how many names of a list are not there, and the first of them.

    Raises:
        SubsetError: None is there, or one is not and may not be missing.
    """
    missing = sum(summary.missing for summary in summaries)
    positions = sorted(i for summary in summaries for i in summary.first_missing)
    names = [subset.names[i] for i in positions[:SHOWN]]
    hint = hint_at_spelling(names, arrived)
    if not any(summary.rows for summary in summaries):
        raise SubsetError(
            f"{subset.source} selects nothing: {uris} has none of its "
            f"{len(subset.names):,} names, such as "
            f"{sample(names, 3, total=missing)}.{hint}"
        )
    if missing and not allow_missing:
        raise SubsetError(
            f"{uris} lacks {missing:,} of the {len(subset.names):,} images that "
            f"{subset.source} names: {sample(names, total=missing)}.{hint} Get the "
            "whole archive, or pass --allow_missing to build without them."
        )
    return missing, tuple(names)


def _count_members(archives: Sequence[Archive], arrived: pa.Table) -> int:
    """Returns the number of images of the archives that no other one overlays."""
    base = [number for number, archive in enumerate(archives) if not archive.layer]
    ours = arrived.filter(pc.is_in(arrived["archive"], pa.array(base, pa.int32())))
    return pc.sum(ours["members"]).as_py() or 0


def _count_lacking(
    said: str, found: int, key: str, expected: int | None, *, allow_missing: bool
) -> int:
    """Returns how many fewer there are than the configuration states.

    Args:
        said: What was found, in words.
        found: What was found.
        key: What states another number.
        expected: That number; None where nothing is stated.
        allow_missing: Whether there may be fewer.

    Raises:
        ArchiveError: The numbers differ, and are not allowed to.
    """
    if expected is None or found == expected:
        return 0
    own = f"For an archive of your own, state its number as {key}, or null."
    if found > expected:
        raise ArchiveError(
            f"{said}, and {key} of the configuration states {expected:,}. It may be "
            f"another archive, or images were added to it. {own}"
        )
    if not allow_missing:
        raise ArchiveError(
            f"{said}, and {key} of the configuration states {expected:,}. The download "
            "may have stopped before its end, or it may be another archive. Get the "
            "whole archive and look at it with --verify_archives, or pass "
            f"--allow_missing to build from what is there. {own}"
        )
    return expected - found
