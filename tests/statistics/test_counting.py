"""What is counted of a split, held against a plain recount from its images."""

import io
import json
import random
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.archives import image
from transforms.formats.records import Example, Source
from transforms.formats.tf_example import encode_example
from transforms.images.header import Header, read_header
from transforms.statistics import counting as statistics
from transforms.statistics.counting import (
    Extreme,
    Statistics,
    StatisticsBuilder,
    from_json,
    merge,
    summarize,
    to_json,
)
from transforms.statistics.document import statistics_document
from transforms.statistics.duplicates import DuplicateGroup, Occurrence, content_hash
from transforms.statistics.observations import Observation
from transforms.statistics.pixels import Pixels, PixelSample, sample_pixels
from transforms.statistics.quantities import COUNTED, EXTREMES, QUANTITIES

EDGES = [*range(16), *(n << shift for shift in range(1, 50) for n in range(8, 16))]


def observe(examples: Sequence[Example], pixels: bool = False) -> list[Observation]:
    return [
        Observation(
            Source(item.file_name, item.label, "a.tar", 512 * i, len(item.image)),
            content_hash(item.image),
            len(item.image),
            read_header(item.image),
            pixels=sample_pixels(item.image) if pixels else None,
        )
        for i, item in enumerate(examples)
    ]


def recount(examples: Sequence[Example]) -> dict[str, Any]:
    """Returns what ``statistics.json`` should say of JPEGs and PNGs, by Pillow."""
    opened = [Image.open(io.BytesIO(item.image)) for item in examples]
    values = {
        "width": [picture.width for picture in opened],
        "height": [picture.height for picture in opened],
        "aspect": [picture.width * 65536 // picture.height for picture in opened],
        "megapixels": [picture.width * picture.height for picture in opened],
        "image_kib": [len(item.image) for item in examples],
        "bits_per_pixel": [
            len(item.image) * 8 * 65536 // (picture.width * picture.height)
            for item, picture in zip(examples, opened, strict=True)
        ],
    }
    document: dict[str, Any] = {
        "examples": len(examples),
        "image_bytes": sum(len(item.image) for item in examples),
        "example_bytes": sum(len(b"".join(encode_example(item))) for item in examples),
        "labels": counted(examples, lambda item: str(item.label)),
        "encodings": counted(opened, lambda picture: str(picture.format).lower()),
        "modes": counted(opened, lambda picture: picture.mode),
        "orientations": counted(opened, lambda p: str(p.getexif().get(0x112, 1))),
        "progressive": counted(
            [picture for picture in opened if picture.format == "JPEG"],
            lambda p: "progressive" if "progressive" in p.info else "sequential",
        ),
        "warnings": {},
        "warned": {},
        "repaired": {},
    }
    for name, numbers in values.items():
        parts = {"megapixels": 1e6, "image_kib": 1024}.get(name, 65536)
        parts = 1 if name in ("width", "height") else parts
        edges = sorted(set(EDGES))
        bins = Counter(bisect(edges, number) for number in numbers)
        document[name] = {
            "count": len(numbers),
            "minimum": min(numbers) / parts,
            "maximum": max(numbers) / parts,
            "mean": pytest.approx(sum(numbers) / len(numbers) / parts),
            "bins": [
                [edges[i - 1] / parts, edges[i] / parts, n]
                for i, n in sorted(bins.items())
            ],
        }
    for name, by, sign in (
        ("smallest", "megapixels", 1),
        ("largest", "megapixels", -1),
        ("most_compressed", "bits_per_pixel", 1),
        ("least_compressed", "bits_per_pixel", -1),
    ):
        parts = 1e6 if by == "megapixels" else 65536
        order = sorted(
            range(len(examples)),
            key=lambda i: (sign * values[by][i], examples[i].file_name),
        )
        document[name] = [
            {
                "value": values[by][i] / parts,
                "name": examples[i].file_name,
                "label": examples[i].label,
                "archive": "a.tar",
                "offset": 512 * i,
                "size": len(examples[i].image),
            }
            for i in order[:12]
        ]
    return document


def counted(items: Sequence[Any], key: Callable[[Any], str]) -> dict[str, int]:
    return dict(Counter(map(key, items)))


def rows(table: Any) -> list[Any]:
    return sorted(table.to_pylist(), key=lambda row: str(list(row.values())))


def test_statistics_equal_a_plain_recount() -> None:
    kinds = [("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "PNG")]
    examples = [
        Example(f"ü{i * 7 % 40:03d}.JPEG", image(i, *kinds[i % 4]), i % 5 - 1)
        for i in range(40)
    ]
    document = statistics_document({"train": summarize(observe(examples, True))}, [])
    ours = document["splits"]["train"]
    assert ours.pop("qualities") == {"75": 30, "none": 10}
    assert ours.pop("subsamplings") == {"4:2:0": 10, "4:4:4": 10, "none": 20}
    assert ours.pop("pixels")["images"] == 40
    assert ours == recount(examples)


def test_statistics_of_photos_equal_a_plain_recount(shared: Path) -> None:
    paths = sorted((shared / "data" / "photos").iterdir())
    examples = [
        Example(path.name, path.read_bytes(), i % 1000) for i, path in enumerate(paths)
    ]
    document = statistics_document({"train": summarize(observe(examples))}, [])
    ours = document["splits"]["train"]
    assert sum(ours.pop("qualities").values()) == 200
    assert ours.pop("subsamplings") == {
        "4:4:4": 154,
        "4:2:0": 42,
        "4:2:2": 1,
        "none": 3,
    }
    assert ours.pop("pixels") is None
    assert ours == recount(examples)


HEADERS = st.builds(
    Header,
    st.sampled_from(["jpeg", "png", "unknown"]),
    st.one_of(st.none(), st.integers(1, 900)),
    st.one_of(st.none(), st.integers(1, 900), st.just((1 << 31) - 1)),
    st.sampled_from(["RGB", "L"]),
    st.sampled_from(["", "4:2:0"]),
    st.one_of(st.none(), st.integers(1, 100)),
    st.booleans(),
    st.just(8),
    st.integers(1, 8),
)
SOURCES = st.builds(
    Source,
    st.sampled_from(["a", "b", "c", "ü"]),
    st.integers(-1, 3),
    st.sampled_from(["a.tar", "b.tar"]),
    st.integers(0, 1 << 40),
    st.integers(0, 1 << 31),
)
PIXELS = st.binary(min_size=1, max_size=4).map(
    lambda row: PixelSample(
        Pixels(1, len(row), (sum(row),) * 3, (sum(v * v for v in row),) * 3),
        row.ljust(16, b"-"),
    )
)
OBSERVATIONS = st.builds(
    Observation,
    SOURCES,
    st.binary(min_size=16, max_size=16),
    st.integers(0, 1 << 31),
    HEADERS,
    st.sampled_from(["", "cmyk", "png"]),
    st.sampled_from([(), ("cut off",), ("cut off", "no end")]),
    st.one_of(st.none(), PIXELS),
)
ROWS = "hashes"  # the one part that keeps the order in which images came
MANY = st.lists(OBSERVATIONS, max_size=40)


def together(a: Statistics, b: Statistics) -> Statistics:
    return merge((a, b))


@settings(max_examples=60)
@given(MANY, st.integers(1, 5), st.randoms(use_true_random=False))
def test_cut_and_order_make_no_difference(
    observations: list[Observation], count: int, order: random.Random
) -> None:
    whole = summarize(observations)
    shuffled = order.sample(observations, len(observations))
    parts = [summarize(shuffled[i::count]) for i in range(count)]
    merged = merge(order.sample(parts, count))
    assert merged == whole
    assert rows(merged.hashes) == rows(whole.hashes)
    assert whole == reduce(together, parts)
    stored = {name: value for name, value in to_json(whole).items() if name != ROWS}
    again = {name: value for name, value in to_json(merged).items() if name != ROWS}
    assert json.dumps(again) == json.dumps(stored)
    ours, theirs = (statistics_document({"a": value}, []) for value in (merged, whole))
    assert json.dumps(ours) == json.dumps(theirs)


@settings(max_examples=40)
@given(MANY, MANY, MANY)
def test_statistics_add_like_numbers(
    one: list[Observation], two: list[Observation], three: list[Observation]
) -> None:
    a, b, c = summarize(one), summarize(two), summarize(three)
    left, right = together(together(a, b), c), together(a, together(b, c))
    assert together(a, b) == together(b, a)
    assert left == right
    assert together(a, merge([])) == a == together(merge([]), a)
    assert rows(left.hashes) == rows(right.hashes)


@settings(max_examples=60)
@given(MANY)
def test_statistics_survive_json(observations: list[Observation]) -> None:
    whole = summarize(observations)
    again = from_json(json.loads(json.dumps(to_json(whole))))
    assert again == whole
    assert again.hashes.to_pylist() == whole.hashes.to_pylist()
    assert json.dumps(to_json(again)) == json.dumps(to_json(whole))


@given(MANY)
def test_each_image_is_counted_once(observations: list[Observation]) -> None:
    whole = summarize(observations)
    sized = [o for o in observations if o.header.width and o.header.height]
    assert whole.examples == len(observations) == sum(whole.labels.values())
    for name in ("encodings", "modes", "subsamplings", "qualities", "orientations"):
        assert sum(whole.counts[name].values()) == len(observations)
    assert sum(whole.counts["progressive"].values()) == sum(
        o.header.encoding == "jpeg" for o in observations
    )
    assert whole.counts["repaired"] == Counter(
        o.repaired for o in observations if o.repaired
    )
    assert sum(whole.counts["warnings"].values()) == sum(
        len(o.warnings) for o in observations
    )
    for name, histogram in whole.histograms.items():
        expected = observations if name == "image_kib" else sized
        assert sum(histogram.counts.values()) == len(expected)
    assert all(len(found) == min(12, len(sized)) for found in whole.extremes.values())
    sources: dict[str, list[Source]] = {}
    for o in observations:
        for warning in o.warnings:
            sources.setdefault(warning, []).append(o.source)
    assert whole.warned == {w: tuple(sorted(found)[:3]) for w, found in sources.items()}


def test_of_no_images_everything_is_zero() -> None:
    nothing = merge([])
    assert nothing == summarize([]) == StatisticsBuilder().result()
    document = statistics_document({"test": nothing}, [])
    empty = {"count": 0, "bins": []}
    assert document == {
        "version": 1,
        "splits": {
            "test": {
                "examples": 0,
                "image_bytes": 0,
                "example_bytes": 0,
                "labels": {},
                **dict.fromkeys(QUANTITIES, empty),
                **{name: {} for name in COUNTED},
                **{name: [] for name in EXTREMES},
                "warned": {},
                "pixels": None,
            }
        },
        "duplicates": [],
    }


def observation(name: str, width: int, height: int, size: int) -> Observation:
    source = Source(name, 0, "a.tar", 0, size)
    return Observation(source, bytes(16), size, Header("jpeg", width, height))


def test_equal_extremes_are_in_the_order_of_names() -> None:
    observations = [observation(f"{i:02d}", 10, 10, 100) for i in range(30, 0, -1)]
    observations += [observation("z", 5, 20, 101), observation("y", 11, 10, 100)]
    extremes = summarize(observations).extremes
    names = {kind: [e.source.name for e in found] for kind, found in extremes.items()}
    first = [f"{i:02d}" for i in range(1, 13)]
    assert names == {
        "smallest": first,
        "largest": ["y", *first[:11]],
        "most_compressed": ["y", *first[:11]],
        "least_compressed": ["z", *first[:11]],
    }
    assert extremes["least_compressed"][0] == Extreme(
        (101 * 8 << 16) // 100, Source("z", 0, "a.tar", 0, 101)
    )


def test_the_builder_summarises_by_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def recorded(observations: Sequence[Observation], *features: object) -> Statistics:
        lengths.append(len(observations))
        return summarize(observations)

    monkeypatch.setattr(statistics, "summarize", recorded)
    observations = [observation(str(i), i + 1, 9, i) for i in range(8)]
    builder = StatisticsBuilder(batch=3)
    results: list[Statistics] = []
    for item in observations:
        builder.add(item)
        results.append(builder.result())
    expected = [summarize(observations[: n + 1]) for n in range(8)]
    assert results == expected
    assert [rows(result.hashes) for result in results] == [
        rows(result.hashes) for result in expected
    ]
    assert max(lengths) == 3


def test_the_document_lists_duplicates() -> None:
    images = (
        Occurrence("train", Source("a", 1, "a.tar", 512, 3)),
        Occurrence("validation", Source("b", 2, "b.tar", 0, 3)),
    )
    document = statistics_document({}, [DuplicateGroup("ab12", images)])
    assert document == {
        "version": 1,
        "splits": {},
        "duplicates": [
            {
                "xxh3_128": "ab12",
                "splits_differ": True,
                "labels_differ": True,
                "images": [
                    {
                        "split": "train",
                        "name": "a",
                        "label": 1,
                        "archive": "a.tar",
                        "offset": 512,
                        "size": 3,
                    },
                    {
                        "split": "validation",
                        "name": "b",
                        "label": 2,
                        "archive": "b.tar",
                        "offset": 0,
                        "size": 3,
                    },
                ],
            }
        ],
    }


def test_the_document_is_described() -> None:
    # Each name of the document has its line in the schema.
    text = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text("utf-8")
    (split,) = statistics_document({"a": merge([])}, [])["splits"].values()
    assert [name for name in split if f"| `{name}` |" not in text] == []
