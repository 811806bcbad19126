"""The report: a page that shows what is in a dataset, for people to look at.

One file of HTML without scripts, which needs no other file and loads none. It holds
what ``statistics.json`` counts as plots and tables, and pictures as small JPEGs. It is
made to be read on a phone, in the dark, on paper, by keyboard and by screen reader:
every plot has its numbers in a table beneath it, and colour alone means nothing.
Equal facts give equal bytes.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from transforms.documents.facts import DatasetFacts
from transforms.documents.pages import size_text
from transforms.documents.report.page import Section, page_html, table, terms
from transforms.documents.report.panels import key_numbers, panels
from transforms.formats import ConfigFacts


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as the report shows it.

    Attributes:
        name: Its file name.
        caption: What it is, such as ``tench (n01440764)``.
        note: What stands out about it, such as its size or why it was rejected; may be
            empty.
        thumbnail: A small JPEG; None where the image cannot be decoded.
    """

    name: str
    caption: str
    note: str
    thumbnail: bytes | None


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures under a heading.

    Attributes:
        title: The heading.
        text: A sentence on them; may be empty.
        groups: The pictures. Those of a group stand side by side, and are framed
            together where there are several groups.
    """

    title: str
    text: str
    groups: tuple[tuple[Picture, ...], ...]


@dataclass(frozen=True, slots=True)
class SplitReport:
    """What the report shows of a split.

    Attributes:
        split: The split's name.
        statistics: Its part of ``statistics.json``.
        galleries: Its pictures.
    """

    split: str
    statistics: Mapping[str, Any]
    galleries: tuple[Gallery, ...]


def report_html(
    facts: DatasetFacts,
    config: ConfigFacts,
    splits: Sequence[SplitReport],
    duplicates: Gallery,
    rejected: Gallery,
    rejected_by_reason: Mapping[str, Mapping[str, int]],
    card: str,
) -> str:
    """Returns the report as one page of HTML that needs no other file.

    Args:
        facts: What is said of the dataset.
        config: What was counted of its configuration, in any format; its files are
            not shown.
        splits: What to show of each split.
        duplicates: Images that are equal, a group of pictures for each.
        rejected: Some of the rejected images.
        rejected_by_reason: How many were rejected, by split and reason; splits and
            reasons without any may be left out.
        card: The address of the card.
    """
    return page_html(
        f"{facts.about.title}: report",
        f"<code>{escape(facts.name)}/{escape(config.name)}</code>, version "
        f'<code>{escape(facts.version)}</code>. <a href="{escape(card)}">The card</a> '
        "says how to load it.",
        [
            Section("Overview", _overview(facts, config)),
            *(
                _split(report, number, facts, rejected_by_reason.get(report.split, {}))
                for number, report in enumerate(splits, 1)
            ),
            Section(duplicates.title, _gallery(duplicates)),
            Section(rejected.title, _gallery(rejected, _reasons(rejected_by_reason))),
        ],
    )


def _overview(facts: DatasetFacts, config: ConfigFacts) -> str:
    homepage = escape(facts.about.homepage)
    if re.match(r"https?://", facts.about.homepage):
        homepage = f'<a href="{homepage}">{homepage}</a>'
    records = sum(split.example_bytes for split in config.splits)
    license = facts.about.license
    described = {
        "Configuration": escape(config.description),
        "Homepage": homepage,
        "License": escape(
            ": ".join(filter(None, (license.name, license.terms.strip())))
        ),
        "Size of records": size_text(records),
    }
    rows = [
        (escape(split.name), f"{split.examples:,}", size_text(split.example_bytes))
        for split in config.splits
    ]
    heads = ("Split", "Examples", "Size of records")
    return (
        f"<p>{escape(' '.join(facts.about.description.split()))}</p>\n"
        f"{terms('facts', described)}{table('Splits', heads, rows, scrolls=True)}"
    )


def _split(
    report: SplitReport, number: int, facts: DatasetFacts, reasons: Mapping[str, int]
) -> Section:
    shown = panels(report.statistics, facts.shown_classes, f"split-{number}")
    galleries = (
        Section(each.title, _gallery(each))
        for each in report.galleries
        if any(each.groups)
    )
    return Section(
        f"Split {report.split}",
        key_numbers(report.statistics, sum(reasons.values())),
        (*shown, *galleries),
    )


def _reasons(by_split: Mapping[str, Mapping[str, int]]) -> str:
    """Returns a table of the rejected images by reason, a column for each split."""
    reasons = sorted({reason for counts in by_split.values() for reason in counts})
    if not reasons:
        return ""
    rows = [
        (
            escape(reason.replace("_", " ")),
            *(f"{counts.get(reason, 0):,}" for counts in by_split.values()),
        )
        for reason in reasons
    ]
    totals = (f"{sum(counts.values()):,}" for counts in by_split.values())
    return table(
        "Rejected images by reason and split",
        ("Reason", *by_split),
        [*rows, ("all reasons", *totals)],
        scrolls=True,
    )


def _gallery(gallery: Gallery, above: str = "") -> str:
    """Returns a gallery's text, then what is given, then its pictures."""
    text = f"<p>{escape(gallery.text)}</p>\n" if gallery.text else ""
    text += above
    groups = [_pictures(group) for group in gallery.groups if group]
    if len(groups) < 2:
        return text + "".join(groups) or "<p>There are none.</p>\n"
    items = "".join(f"<li>\n{group}</li>\n" for group in groups)
    # Lists without bullets are none to some screen readers, unless they have the role.
    return f'{text}<ul class="groups" role="list">\n{items}</ul>\n'


def _pictures(pictures: Sequence[Picture]) -> str:
    items = "".join(f"<li>{_figure(picture)}</li>\n" for picture in pictures)
    return f'<ul class="pictures" role="list">\n{items}</ul>\n'


def _figure(picture: Picture) -> str:
    name = escape(picture.name)
    # Where a long name may be broken.
    parted = name.replace("_", "_<wbr>").replace(".", "<wbr>.")
    if picture.thumbnail is None:
        shown = '<span class="missing">It cannot be decoded.</span>'
    else:
        data = base64.b64encode(picture.thumbnail).decode()
        shown = (
            f'<img src="data:image/jpeg;base64,{data}" alt="The image {name}" '
            'width="160" height="160">'
        )
    note = f"<span>{escape(picture.note)}</span>" if picture.note else ""
    return (
        f"<figure>{shown}<figcaption>{escape(picture.caption)}{note}"
        f"<span>{parted}</span></figcaption></figure>"
    )
