"""A report on generated images, with something of everything that one can show."""

import io
import random
from dataclasses import replace
from functools import cache

from PIL import Image

from tests.documents.test_card import FACTS, ONE
from transforms.documents.report.report import (
    Gallery,
    Picture,
    SplitReport,
    report_html,
)
from transforms.documents.report.thumbnails import draw_thumbnail
from transforms.formats.records import Schema, Source
from transforms.images.header import read_header
from transforms.statistics.counting import StatisticsBuilder
from transforms.statistics.document import statistics_document
from transforms.statistics.duplicates import content_hash
from transforms.statistics.observations import Observation
from transforms.statistics.pixels import sample_pixels

CLASSES = tuple(f"n{number:08d}" for number in range(1000))
ODD_NAME = "<b>&amp;\"quoted\" 'name'" + "_very" * 12 + "_long.JPEG"


def generated(number: int, rng: random.Random) -> bytes:
    """Returns an encoded image; encodings, colours and sizes vary."""
    size = rng.choice([(500, 375), (375, 500), (640, 480), (33, 90), (1, 1)])
    mode = rng.choice(["RGB", "RGB", "RGB", "L", "CMYK"])
    noise = Image.frombytes("L", (25, 25), rng.randbytes(625))
    picture = noise.resize(size).convert(mode)
    encoded = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = rng.choice([1, 1, 1, 6])
    if number % 9 == 8:
        picture.convert("RGB").save(encoded, "PNG")
    else:
        picture.save(
            encoded,
            "JPEG",
            quality=rng.randrange(60, 100),
            progressive=number % 5 == 4,
            exif=exif,
        )
    return encoded.getvalue()


@cache
def sample_report() -> str:
    """Returns the page."""
    rng = random.Random(0)
    images = [generated(number, rng) for number in range(60)]
    builders = {split: StatisticsBuilder() for split in ("train", "validation")}
    for number in range(600):
        data = images[number % 60]
        split = "train" if number % 4 else "validation"
        label = round(rng.gauss(500, 150)) % 1000
        builders[split].add(
            Observation(
                Source(f"{CLASSES[label]}_{number}.JPEG", label, "a.tar", 0, len(data)),
                content_hash(data),
                len(data),
                read_header(data),
                "cmyk" if number % 60 == 7 else "",
                ("extraneous_bytes", "missing_end") if number % 60 == 3 else (),
                sample_pixels(data),
            )
        )
    document = statistics_document(
        {split: builder.result() for split, builder in builders.items()}, []
    )
    pictures = [
        Picture(
            f"ILSVRC2012_val_{number:08d}.JPEG",
            f"{CLASSES[number]} ({number})",
            "0.188 megapixels",
            draw_thumbnail(data),
        )
        for number, data in enumerate(images)
    ]
    odd = replace(pictures[0], name=ODD_NAME, note="<i>train</i>; the splits differ")
    broken = Picture("n00000001_1.JPEG", "no label", "truncated", None)
    galleries = (
        Gallery("Examples", "Evenly spread.", (tuple(pictures[:20]),)),
        Gallery("Smallest", "The fewest pixels.", (tuple(pictures[20:32]),)),
        Gallery("Largest", "", ()),
    )
    return report_html(
        replace(FACTS, schema=Schema(CLASSES)),
        ONE,
        [
            SplitReport(name, part, galleries)
            for name, part in document["splits"].items()
        ],
        Gallery(
            "Duplicates",
            "Images that are equal byte for byte.",
            ((pictures[1], pictures[1]), (odd, *pictures[2:7])),
        ),
        Gallery("Rejected images", "Some of them.", ((broken, odd),)),
        {"train": {"truncated": 3, "too_many_pixels": 1}, "validation": {"empty": 1}},
        "card.html",
    )
