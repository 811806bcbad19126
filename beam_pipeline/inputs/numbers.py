"""Holds a dataset's numbers against those that its configuration states."""

from beam_pipeline.config import BuildConfig
from transforms.formats import SplitCounts
from transforms.verification import FindingsBuilder, HeldSplit, Holding


def check_numbers(
    holding: Holding, config: BuildConfig, findings: FindingsBuilder
) -> list[str]:
    """Holds what a dataset has of each split against what is stated of it.

    A build that was allowed to lack images, or was limited, noted that in its manifest.
    Of other datasets the configuration has to say it, as it would for a build.

    Args:
        holding: What its documents say.
        config: Its configuration.
        findings: Takes the problems.

    Returns:
        What is allowed and worth saying.
    """
    remarks = []
    for split in holding.splits:
        if split.name not in config.splits:
            continue
        stated = config.splits[split.name]
        counts = holding.counts.get(split.name)
        if counts is None:
            limit = config.max_examples_per_split
            counts = SplitCounts(limit=limit, rejected=_rejected(split))
        elif stated.members not in (None, counts.members + counts.missing_members):
            findings.add(
                split.source,
                "count",
                f"The archive of {split.name} had {counts.members:,} images, and "
                f"splits.{split.name}.members of the configuration states "
                f"{stated.members:,}.",
            )
        if stated.expected_examples is None:
            continue
        message = _compare(split, counts, stated.expected_examples)
        if message and not (
            config.allow_missing and split.examples < stated.expected_examples
        ):
            findings.add(split.source, "count", message)
        if counts.missing:
            remarks.append(
                f"{holding.title}: {split.name} lacks {counts.missing:,} of "
                f"{stated.expected_examples:,} images, which its build was allowed."
            )
        if counts.limit is not None and counts.limit < stated.expected_examples:
            remarks.append(
                f"{holding.title}: {split.name} was limited to {counts.limit:,} of "
                f"{stated.expected_examples:,} images."
            )
    return list(dict.fromkeys(remarks))


def _compare(split: HeldSplit, counts: SplitCounts, expected: int) -> str:
    """Returns in what a split's number is not the one expected; empty if it is."""
    number = expected - counts.missing
    if counts.limit is not None:
        number = min(number, counts.limit)
    number -= counts.rejected
    if number == split.examples:
        return ""
    less = [
        f"{count:,} {what}"
        for count, what in (
            (counts.missing, "missing"),
            (counts.rejected, "rejected"),
        )
        if count
    ]
    if counts.limit is not None:
        less.append(f"a limit of {counts.limit:,}")
    noted = f", of which it notes {' and '.join(less)}" if less else ""
    return (
        f"{split.name} as {split.format} has {split.examples:,} examples, and "
        f"splits.{split.name} of the configuration states {expected:,}{noted}."
    )


def _rejected(split: HeldSplit) -> int:
    """Returns how many images a manifest of an earlier version saw left out."""
    reasons = split.statistics.get("rejected")
    numbers = reasons.values() if isinstance(reasons, dict) else ()
    return sum(number for number in numbers if isinstance(number, int))
