"""Looks through a finished dataset for its report: which images to show, and as what.

Examples are read back from the published files, so that the report shows what was
written. Images that stand out, and those that are duplicates or were rejected, are
read from the archives, where their statistics say they lie.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import chain, islice
from typing import Any, Final

from transforms import storage
from transforms.cores import available_cores
from transforms.documents.facts import DatasetFacts, class_text, config_facts
from transforms.documents.pages import CARDS
from transforms.documents.report.plots import number_text
from transforms.documents.report.report import (
    Gallery,
    Picture,
    SplitReport,
    report_html,
)
from transforms.documents.report.thumbnails import draw_thumbnail
from transforms.formats import FORMATS, Example, Layout, Source
from transforms.shards import ReadSource, ShardOutput, Tally
from transforms.statistics import EXTREMES

_EXAMPLES: Final = 12
_EXTREMES: Final = 6
_GROUPS: Final = 20  # of duplicates
_GROUP_IMAGES: Final = 6  # shown of each
_REJECTED: Final = 24

_EXTREME_GALLERIES: Final = {  # title, and the unit of the value
    "smallest": ("Smallest", "megapixels"),
    "largest": ("Largest", "megapixels"),
    "most_compressed": ("Most compressed", "bits per pixel"),
    "least_compressed": ("Least compressed", "bits per pixel"),
}

_Noted = Sequence[tuple[Source, str]]  # images of the archives, each with a note


@dataclass(frozen=True, slots=True)
class _Artist:
    """Draws images of the archives, several at once.

    Attributes:
        read: Reads an image where it lies.
        classes: What a class is called.
        pool: The threads that draw.
    """

    read: ReadSource
    classes: tuple[str, ...]
    pool: ThreadPoolExecutor

    def draw(self, noted: _Noted) -> tuple[Picture, ...]:
        """Returns a picture of each image."""
        drawn = self.pool.map(self._thumbnail, [source for source, _ in noted])
        return tuple(map(self._picture, noted, drawn))

    def draw_equal(self, groups: Sequence[_Noted]) -> tuple[tuple[Picture, ...], ...]:
        """Returns pictures of groups of equal images; one of each group is read."""
        drawn = self.pool.map(self._thumbnail, [group[0][0] for group in groups])
        return tuple(
            tuple(self._picture(noted, thumbnail) for noted in group)
            for group, thumbnail in zip(groups, drawn, strict=True)
        )

    def _thumbnail(self, source: Source) -> bytes | None:
        return draw_thumbnail(self.read(source))

    def _picture(self, noted: tuple[Source, str], thumbnail: bytes | None) -> Picture:
        source, note = noted
        name = class_text(source.label, self.classes)
        return Picture(source.name, name, note, thumbnail)


def first_examples(output: ShardOutput, tally: Tally, split: str) -> Iterator[Example]:
    """Yields the examples of a split, read back from its published files."""
    name, splits = next(iter(tally.splits.items()))
    (files,) = (facts.files for facts in splits if facts.name == split)
    uris = (storage.join(output.places.directory(name), file.name) for file in files)
    read, features = FORMATS[name].codec.read, output.schema.features
    return chain.from_iterable(read(uri, features) for uri in uris)


def review_dataset(
    facts: DatasetFacts,
    output: ShardOutput,
    tally: Tally,
    statistics: Mapping[str, Any],
    read: ReadSource,
) -> dict[Layout, bytes]:
    """Returns ``report.html``, with its link to the card that each layout has.

    Args:
        facts: What is said of the dataset.
        output: Where its shards are.
        tally: What they came to.
        statistics: What ``statistics.json`` holds.
        read: Reads an image where it lies in the archives.
    """
    names = facts.shown_classes
    with ThreadPoolExecutor(available_cores()) as pool:
        artist = _Artist(read, names, pool)
        splits = [
            SplitReport(
                split,
                counted,
                (
                    _examples_gallery(first_examples(output, tally, split), names),
                    *_extreme_galleries(counted, artist),
                ),
            )
            for split, counted in statistics["splits"].items()
        ]
        duplicates = _duplicates_gallery(statistics, artist)
        rejected = _rejected_gallery(tally, artist)
    # The page is the same in every format, so it does not speak of files.
    some_format = next(iter(tally.splits.values()))
    config = config_facts(
        facts, tuple(replace(split, files=()) for split in some_format)
    )
    reasons = {
        split: Counter(each.reason for each in images)
        for split, images in tally.rejected.items()
    }
    return {
        layout: report_html(
            facts, config, splits, duplicates, rejected, reasons, card
        ).encode()
        for layout, card in CARDS.items()
    }


def _examples_gallery(examples: Iterable[Example], names: tuple[str, ...]) -> Gallery:
    pictures = tuple(
        Picture(
            example.file_name,
            class_text(example.label, names),
            "",
            draw_thumbnail(example.image),
        )
        for example in islice(examples, _EXAMPLES)
    )
    return Gallery("Examples", "The first of the split.", (pictures,))


def _extreme_galleries(
    counted: Mapping[str, Any], artist: _Artist
) -> Iterator[Gallery]:
    for key, (title, unit) in _EXTREME_GALLERIES.items():
        if _are_equal(counted, key):
            continue
        noted = [
            (_source(each), f"{number_text(each['value'])} {unit}")
            for each in counted[key][:_EXTREMES]
        ]
        yield Gallery(title, "", (artist.draw(noted),))


def _are_equal(counted: Mapping[str, Any], key: str) -> bool:
    """Returns whether there is no extreme: all images have the same value, or none."""
    histogram = counted[EXTREMES[key][0]]
    return not histogram["count"] or histogram["minimum"] == histogram["maximum"]


def _duplicates_gallery(statistics: Mapping[str, Any], artist: _Artist) -> Gallery:
    by_bytes = statistics["duplicates"]
    by_pixels = statistics.get("equal_pixels", [])
    shown = [
        [
            (_source(each), _duplicate_note(each["split"], group))
            for each in group["images"][:_GROUP_IMAGES]
        ]
        for group in (*by_bytes[:_GROUPS], *by_pixels[:_GROUPS])
    ]
    said = []
    if by_bytes:
        said.append(
            f"{len(by_bytes):,} groups of images are equal byte for byte in the "
            "archives."
        )
    if by_pixels:
        said.append(
            f"{len(by_pixels):,} groups have equal pixels under different bytes."
        )
    if not said:
        return Gallery("Duplicates", "No image is there twice.", ())
    most = f"At most {_GROUPS} groups are shown, and {_GROUP_IMAGES} images of each."
    kinds = "of either kind " if len(said) > 1 else ""
    return Gallery(
        "Duplicates",
        f"{' '.join(said)} {most.replace('are shown', f'{kinds}are shown')}",
        artist.draw_equal(shown),
    )


def _rejected_gallery(tally: Tally, artist: _Artist) -> Gallery:
    rejected = list(chain.from_iterable(tally.rejected.values()))
    shown = [(each.source, each.message) for each in rejected[:_REJECTED]]
    if not rejected:
        return Gallery("Rejected", "No image was rejected.", ())
    text = f"{len(rejected):,} of {tally.wanted:,} images were rejected."
    if len(shown) < len(rejected):
        text += f" The first {_REJECTED} are shown."
    return Gallery("Rejected", text, (artist.draw(shown),))


def _source(image: Mapping[str, Any]) -> Source:
    known = {
        each.name: image[each.name] for each in fields(Source) if each.name in image
    }
    return Source(**known)


def _duplicate_note(split: str, group: Mapping[str, Any]) -> str:
    flags = {"the splits differ": "splits_differ", "the labels differ": "labels_differ"}
    return "; ".join([split, *(text for text, key in flags.items() if group[key])])
