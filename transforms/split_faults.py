"""What is wrong with a split whose archives, overlay and list do not go together.

Partitions find and count it (``transforms.partition_faults``); here are the messages.
"""

from collections.abc import Sequence
from os.path import splitext

import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives import Archive
from transforms.errors import ArchiveError, SubsetError, printable, sample
from transforms.partition import PartitionSummary
from transforms.partition_faults import SHOWN
from transforms.subsets import SubsetList


def check_repeated(
    split: str, archives: Sequence[Archive], summaries: Sequence[PartitionSummary]
) -> None:
    """Raises ArchiveError where two images of a layer have one name."""
    count = sum(summary.repeated for summary in summaries)
    if not count:
        return
    first = [repeat for summary in summaries for repeat in summary.first_repeated]
    places = " and ".join(
        f"byte {offset:,} of {archives[archive].file.uri}"
        for archive, offset in first[0].places
    )
    raise ArchiveError(
        f"{count:,} images of the {split} split occur twice: "
        f"{sample([repeat.name for repeat in first], total=count)}. "
        f"{printable(first[0].name)} begins at {places}. Remove one of each."
    )


def check_overlays(
    split: str, archives: Sequence[Archive], summaries: Sequence[PartitionSummary]
) -> None:
    """Raises ArchiveError where an overlay has images that replace none."""
    count = sum(summary.useless for summary in summaries)
    if not count:
        return
    first = [image for summary in summaries for image in summary.first_useless]
    ((archive, offset),) = first[0].places
    base = " and ".join(each.file.uri for each in archives if not each.layer)
    raise ArchiveError(
        f"{count:,} images that should replace others of the {split} split replace "
        f"none: {sample([image.name for image in first], total=count)}. "
        f"{printable(first[0].name)} begins at byte {offset:,} of "
        f"{archives[archive].file.uri}, and {base} has no image of that name. Is it "
        "the right overlay?"
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
