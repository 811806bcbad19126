"""Whether all of a split is there: what engines move, and what archives should hold.

A configuration may state how many images an archive has, and how many a split comes to.
An archive of the right length whose end is a hole looks whole by all but its numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from os.path import splitext

import pyarrow as pa
import pyarrow.compute as pc

from transforms import storage
from transforms.archives import Archive
from transforms.errors import (
    ArchiveError,
    SubsetError,
    printable,
    require_whole,
    sample,
)
from transforms.formats import SplitCounts
from transforms.planning.lists import SubsetList
from transforms.planning.order import ImagePlace
from transforms.planning.partition_faults import SHOWN
from transforms.planning.partitions import PartitionSummary


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
        positions = sorted(ours["position"].to_pylist())
        total = ours["total"][0].as_py() if positions else None
        of = f"the {total:,}" if total else "those"
        require_whole(
            positions == list(range(total or 0)) != [],
            f"{len(positions):,} tables of {len({*positions}):,} containers arrived to "
            f"be planned, of {of} that {archive.file.uri} has.",
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
    require_whole(
        numbers == list(range(partitions)) and rows == sent,
        f"{rows:,} rows in {len(numbers):,} partitions arrived to be planned, of "
        f"the {sent:,} in {partitions:,} of the {split} split.",
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
        missing += subset.lacking
    elif not kept:
        raise _no_image(split, archives)
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
        missing = max(missing, pc.max(arrived["lacking"]).as_py() or 0)
    return SplitCounts(members, missing_members, missing), names


def _no_image(split: str, archives: Sequence[Archive]) -> ArchiveError:
    """Returns the error of a split that nothing was found for."""
    uris = " and ".join(archive.file.uri for archive in archives)
    roots = sorted({archive.root for archive in archives} - {""})
    beneath = f" beneath a folder {' or '.join(map(printable, roots))}" if roots else ""
    return ArchiveError(f"{uris} holds no image for the {split} split{beneath}.")


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


def check_repeated(
    split: str, archives: Sequence[Archive], summaries: Sequence[PartitionSummary]
) -> None:
    """Raises ArchiveError where two images of a layer have one name."""
    count = sum(summary.repeated for summary in summaries)
    if not count:
        return
    first = [repeat for summary in summaries for repeat in summary.first_repeated]
    places = " and ".join(_in_words(place, archives) for place in first[0].places)
    raise ArchiveError(
        f"{count:,} images of the {split} split occur twice: "
        f"{sample([repeat.name for repeat in first], total=count)}. "
        f"{printable(first[0].name)} begins at {places}. Remove one of each."
    )


def _in_words(place: ImagePlace, archives: Sequence[Archive]) -> str:
    uri = archives[place.archive].file.uri
    if place.file:
        uri = printable(storage.join(uri, place.file))
    return f"byte {place.offset:,} of {uri}"


def check_overlays(
    split: str, archives: Sequence[Archive], summaries: Sequence[PartitionSummary]
) -> None:
    """Raises ArchiveError where an overlay has images that replace none."""
    count = sum(summary.useless for summary in summaries)
    if not count:
        return
    first = [image for summary in summaries for image in summary.first_useless]
    (place,) = first[0].places
    base = " and ".join(each.file.uri for each in archives if not each.layer)
    raise ArchiveError(
        f"{count:,} images that should replace others of the {split} split replace "
        f"none: {sample([image.name for image in first], total=count)}. "
        f"{printable(first[0].name)} begins at {_in_words(place, archives)}, and "
        f"{base} has no image of that name. Is it the right overlay?"
    )


def check_excluded(split: str, arrived: pa.Table, excluded: SubsetList) -> None:
    """Raises SubsetError where images are to be left out that are not there."""
    found = {*pc.list_flatten(arrived["excluded"]).to_pylist()}
    unknown = [name for name in excluded.names if name not in found]
    if unknown:
        raise SubsetError(
            f"{excluded.source} excludes {len(excluded.names):,} images from the "
            f"{split} split, and {len(unknown):,} of them are not in its archives: "
            f"{sample(unknown)}.{hint_at_spelling(unknown, arrived)} Take them out of "
            "the file, or pass --allow_missing to go on."
        )


def _example(arrived: pa.Table) -> str:
    """Returns the name of the first image of the archives, or nothing."""
    named = arrived.filter(pc.not_equal(arrived["example"], ""))
    order = [("archive", "ascending"), ("position", "ascending")]
    first: list[str] = named.sort_by(order)["example"].slice(0, 1).to_pylist()
    return first[0] if first else ""


def hint_at_spelling(missing: Sequence[str], arrived: pa.Table) -> str:
    """Returns a sentence where a list's names are spelled otherwise than an archive's.

    Args:
        missing: Names of the list that the archive lacks.
        arrived: Rows of ``ARRIVAL_SCHEMA``.
    """
    example = _example(arrived)
    if not missing or not example:
        return ""
    listed, archived = (splitext(name)[1] for name in (missing[0], example))
    if listed == archived:
        return ""
    ending = f"ends in {printable(listed)}" if listed else "has no extension"
    return (
        f" {printable(missing[0])} {ending}, and names in the archive "
        f"{f'end in {printable(archived)}' if archived else 'have none'}, as "
        f"{printable(example)} does: write them as they are there."
    )


def check_list_labels(
    split: str, summaries: Sequence[PartitionSummary], subset: SubsetList | None
) -> None:
    """Raises SubsetError where a list has other labels than the images it names."""
    count = sum(summary.relabelled for summary in summaries)
    if not count or subset is None or subset.labels is None:
        return
    first = sorted(each for summary in summaries for each in summary.first_relabelled)
    shown = [
        f"{subset.names[position]} {subset.labels[position]} instead of {label}"
        for position, label in first[:SHOWN]
    ]
    raise SubsetError(
        f"{subset.source} gives {count:,} of the {len(subset.names):,} images that it "
        f"names another label than their class has: {sample(shown, total=count)}. Say "
        f"splits.{split}.labels=list, and the list decides, or take a list without "
        "labels."
    )
