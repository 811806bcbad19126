"""What builds do with images: policies, bad ones, statistics and the report."""

import io
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from beam_pipeline.demo import SUBSET_LIST, TRAIN_ARCHIVE, DemoShape, make_archives
from tests.helpers.archives import (
    Outcome,
    build,
    dataset_dir,
    image,
    nested_tar,
    tar,
    write_archives,
)
from transforms.formats.records import Example
from transforms.formats.table import FORMATS
from transforms.statistics.duplicates import content_hash

NAME = "imagenet2012_subset"
WNID = "n01440764"


def examples(data_dir: Path, split: str) -> list[Example]:
    shards = sorted(dataset_dir(data_dir).glob(f"*-{split}.tfrecord-*"))
    return [e for path in shards for e in FORMATS["tfrecord"].codec.read(str(path))]


def statistics(data_dir: Path) -> dict[str, Any]:
    text = (dataset_dir(data_dir) / "statistics.json").read_text()
    return dict(json.loads(text))


def quarantine(data_dir: Path) -> Path:
    return data_dir / "quarantine" / NAME / "demo" / "5.0.0" / "rejected.parquet"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.usefixtures("no_resizer")
def test_a_machine_that_cannot_resize_builds_what_needs_no_resizing(
    every_format: Path, small_archives: Path, tmp_path: Path
) -> None:
    outcome = build(small_archives, tmp_path)
    assert outcome.code == 0, outcome.err
    found, others = dataset_dir(tmp_path), dataset_dir(every_format)
    shards = [path.name for path in found.glob("*.tfrecord-*")]
    assert len(shards) == 6
    for name in (*shards, "statistics.json"):
        assert (found / name).read_bytes() == (others / name).read_bytes()
    assert (found / "report.html").read_text().count("<img") == 2 * (12 + 2 * 6)
    resize = ("--set", "images.policy=resize", "images.shortest_side=9", "--overwrite")
    outcome = build(small_archives, tmp_path, *resize)
    assert outcome.code == 2
    assert "images.policy=resize needs the package cykooz-resizer" in outcome.err


# --- Bad images -----------------------------------------------------------------------


def patched(data: bytes, marker: bytes, offset: int, value: bytes) -> bytes:
    """Returns a JPEG with bytes behind a marker replaced."""
    place = data.index(marker) + offset
    return data[:place] + value + data[place + len(value) :]


def jpeg(number: int, **options: Any) -> bytes:
    """Returns a JPEG that is large enough to be cut in its middle."""
    pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=95, **options)
    return encoded.getvalue()


def saved(kind: str) -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(encoded, kind)
    return encoded.getvalue()


WHOLE = jpeg(1)
CMYK = image(1, "CMYK")
BAD = {
    "nothing": (b"", "empty"),
    "web page": (b"<!DOCTYPE html><title>404</title>", "wrong_kind"),
    "GIF": (saved("GIF"), "wrong_kind"),
    "BMP": (saved("BMP"), "wrong_kind"),
    "cut in its header": (WHOLE[:300], "truncated"),
    "cut in its pixels": (WHOLE[: len(WHOLE) // 2], "truncated"),
    "CMYK cut in its pixels": (CMYK[: CMYK.index(b"\xff\xda")], "truncated"),
    "PNG cut short": (saved("PNG")[:40], "undecodable"),
    "65,500 pixels square": (
        patched(WHOLE, b"\xff\xc0", 5, b"\xff\xdc\xff\xdc"),
        "too_many_pixels",
    ),
    "no quantisation tables": (
        WHOLE.replace(b"\xff\xdb", b"\xff\xee"),
        "undecodable",
    ),
}


@dataclass(frozen=True)
class Pair:
    """Two builds: of archives with bad images, and of the same without them."""

    spoiled: Path
    whole: Path
    bad: Mapping[str, tuple[bytes, str]]
    outcome: Outcome


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    directory = tmp_path_factory.mktemp("bad")
    good = {f"{WNID}_{i}.JPEG": jpeg(i) for i in range(990)}
    bad = {f"{WNID}_{2000 + i}.JPEG": kind for i, kind in enumerate(BAD.values())}
    everything = {**good, **{name: data for name, (data, _) in bad.items()}}
    validation = tar([("ILSVRC2012_val_00000001.JPEG", image(1))])
    outcomes = []
    for place, images in (("spoiled", everything), ("whole", good)):
        archives = write_archives(
            directory / f"archives {place}",
            train=nested_tar({WNID: sorted(images.items())}),
            validation=validation,
            listed=sorted(images),
        )
        outcomes.append(
            build(
                *(archives, directory / place, "--verify_images=decode"),
                *("--max_rejects=0.01", "--num_shards", "train=3"),
            )
        )
    assert outcomes[1].code == 0
    return Pair(directory / "spoiled", directory / "whole", bad, outcomes[0])


def test_a_build_goes_on_behind_bad_images(pair: Pair) -> None:
    assert pair.outcome.code == 0
    assert "train: 10 bad images left out; report.html shows them." in (
        pair.outcome.out.splitlines()
    )


def test_all_other_records_are_those_of_a_build_without_the_bad(pair: Pair) -> None:
    found = examples(pair.spoiled, "train")
    assert len(found) == 990
    assert found == examples(pair.whole, "train")
    assert examples(pair.spoiled, "validation") == examples(pair.whole, "validation")


def test_the_quarantine_has_every_bad_image_with_its_bytes(pair: Pair) -> None:
    rows = pq.read_table(quarantine(pair.spoiled)).to_pylist()
    found = {row["file_name"]: (row["image"], row["reason"]) for row in rows}
    assert found == dict(pair.bad)
    archive = pair.spoiled.parent / "archives spoiled" / TRAIN_ARCHIVE
    data = archive.read_bytes()
    for row in rows:
        assert (row["split"], row["archive"]) == ("train", TRAIN_ARCHIVE)
        assert data[row["offset"] :][: row["size"]] == row["image"]
        assert (row["label"], bool(row["message"])) == (0, True)
    assert not quarantine(pair.whole).exists()


def test_counts_add_up_everywhere(pair: Pair) -> None:
    train = statistics(pair.spoiled)["splits"]["train"]
    reasons = Counter(reason for _, reason in pair.bad.values())
    assert train["rejected"] == dict(reasons)
    assert train["examples"] + sum(reasons.values()) == 1000
    info = json.loads((dataset_dir(pair.spoiled) / "dataset_info.json").read_text())
    lengths = [int(n) for n in info["splits"][0]["shardLengths"]]
    assert sum(lengths) == 990
    page = (dataset_dir(pair.spoiled) / "report.html").read_text()
    text = page.replace("<wbr>", "")
    for name, (_, reason) in pair.bad.items():
        assert name in text
        assert reason.replace("_", " ") in text


def test_too_many_bad_images_are_all_listed_and_nothing_is_complete(
    pair: Pair, tmp_path: Path
) -> None:
    archives = pair.spoiled.parent / "archives spoiled"
    flags = ("--verify_images=decode", "--num_shards", "train=3")
    outcome = build(archives, tmp_path, *flags, "--max_rejects=9")
    assert outcome.code == 1
    message = outcome.err.splitlines()[-1]
    assert message.startswith(
        "error: Bad images: 10 of 1,001, and 9 are allowed: 3 truncated, 3 wrong_kind, "
    )
    assert message.endswith(
        f"{quarantine(tmp_path)} holds all, with their bytes. Put whole ones in "
        "their place, or pass --max_rejects=10 to build without them."
    )
    assert pq.read_table(quarantine(tmp_path)).num_rows == 10
    assert not (dataset_dir(tmp_path) / "dataset_info.json").exists()
    # The shards are there: what was said builds without them, and at once.
    before = {p: p.stat().st_mtime_ns for p in dataset_dir(tmp_path).glob("*-of-*")}
    assert build(archives, tmp_path, *flags, "--max_rejects=10").code == 0
    assert before == {p: p.stat().st_mtime_ns for p in before}
    assert examples(tmp_path, "train") == examples(pair.whole, "train")


def test_the_summary_names_what_is_kept_in_spite_of_warnings(tmp_path: Path) -> None:
    images = {f"{WNID}_{number}.JPEG": jpeg(number) for number in range(1, 9)}
    for number in (2, 3, 5, 8):
        images[f"{WNID}_{number}.JPEG"] = jpeg(number)[: -100 * number]
    images[f"{WNID}_7.JPEG"] = jpeg(7)[:-2] + b"junk" * 9 + b"\xff\xd9"
    archives = write_archives(
        tmp_path / "archives",
        train=nested_tar({WNID: sorted(images.items())}),
        validation=tar([("ILSVRC2012_val_00000001.JPEG", image(1))]),
        listed=sorted(images),
    )
    one = ("--set", "num_shards={}")
    outcome = build(archives, tmp_path / "kept", *one)
    assert outcome.code == 0
    assert (
        "train: 4 images lack their end and may be cut off; --verify_images=decode "
        "leaves out those that cannot be loaded: n01440764_2.JPEG, n01440764_3.JPEG, "
        "n01440764_5.JPEG and 1 more."
    ) in outcome.out.splitlines()
    assert {
        e.file_name: e.image for e in examples(tmp_path / "kept", "train")
    } == images
    found = statistics(tmp_path / "kept")["splits"]["train"]
    assert found["warnings"] == {"missing_end": 4}
    assert [each["name"] for each in found["warned"]["missing_end"]] == [
        *(f"{WNID}_{number}.JPEG" for number in (2, 3, 5)),
    ]
    flags = ("--verify_images=decode", "--max_rejects=4")
    outcome = build(archives, tmp_path / "whole", *flags, *one)
    lines = outcome.out.splitlines()
    assert "train: 4 bad images left out; report.html shows them." in lines
    assert "train: 1 images have bytes that belong nowhere: n01440764_7.JPEG." in lines
    names = [example.file_name for example in examples(tmp_path / "whole", "train")]
    assert sorted(names) == [f"{WNID}_{number}.JPEG" for number in (1, 4, 6, 7)]


def test_headers_alone_show_most_of_them(pair: Pair, tmp_path: Path) -> None:
    archives = pair.spoiled.parent / "archives spoiled"
    outcome = build(archives, tmp_path, "--max_rejects=100", "--num_shards", "train=3")
    assert outcome.code == 0
    found = pq.read_table(quarantine(tmp_path))["file_name"].to_pylist()
    # What is wrong behind the header is seen by a decoder alone.
    assert set(pair.bad) - set(found) == {f"{WNID}_2005.JPEG", f"{WNID}_2009.JPEG"}


def test_a_split_of_bad_images_alone_still_adds_up(tmp_path: Path) -> None:
    archives = write_archives(
        tmp_path / "archives",
        train=nested_tar({WNID: [(f"{WNID}_1.JPEG", b"")]}),
        validation=tar([("ILSVRC2012_val_00000001.JPEG", image(1))]),
        listed=[f"{WNID}_1.JPEG"],
    )
    flags = ("--set", "num_shards={}", "--max_rejects=1", "--format", ",".join(FORMATS))
    assert build(archives, tmp_path / "data", *flags).code == 0
    assert examples(tmp_path / "data", "train") == []
    assert statistics(tmp_path / "data")["splits"]["train"]["examples"] == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--max_rejects=-1"], "max_rejects is -1.0: expected 0 or more."),
        (
            ["--set", "images.policy=resize"],
            "images.policy=resize needs one of images.",
        ),
        (["--set", "images.qualty=3"], "unknown key images.qualty. Did you mean quali"),
        (
            ["--set", "images.shortest_side=9"],
            "images.shortest_side has no effect with images.policy=repair; it needs ",
        ),
        (
            [
                *("--format", "webdataset", "--set", "images.policy=reencode"),
                *("splits.validation.images={policy: reencode, encoding: png}",),
            ],
            "webdataset needs one encoding for the images of all splits, not jpg and ",
        ),
    ],
)
def test_what_makes_no_sense_is_told(
    small_archives: Path, tmp_path: Path, flags: list[str], message: str
) -> None:
    outcome = build(small_archives, tmp_path, *flags)
    assert outcome.code == 2
    assert message in outcome.err


# --- Policies -------------------------------------------------------------------------


def test_resize_makes_every_image_small(small_archives: Path, tmp_path: Path) -> None:
    flags = ("--set", "images.policy=resize", "images.shortest_side=48")
    assert build(small_archives, tmp_path, *flags).code == 0
    whole = tmp_path / "whole"
    assert build(small_archives, whole).code == 0
    originals = {e.file_name: e for e in examples(whole, "train")}
    for example in examples(tmp_path, "train"):
        width, height = opened(originals[example.file_name].image).size
        assert min(width, height) == 72
        assert opened(example.image).size == (round(width * 48 / 72), 48)
        assert opened(example.image).format == "JPEG"
        assert example.label == originals[example.file_name].label


def test_a_split_may_have_a_policy_of_its_own(
    small_archives: Path, tmp_path: Path
) -> None:
    own = "splits.validation.images={policy: resize, exact: [32, 24]}"
    assert build(small_archives, tmp_path, "--set", own).code == 0
    assert {opened(e.image).size for e in examples(tmp_path, "validation")} == {
        (32, 24)
    }
    assert {min(opened(e.image).size) for e in examples(tmp_path, "train")} == {72}
    info = json.loads((dataset_dir(tmp_path) / "dataset_info.json").read_text())
    assert info["description"].endswith(
        "In train: Images keep the bytes they have in the archives, but that CMYK "
        "JPEGs and PNGs become RGB JPEGs. In validation: Images are resized to 32 x 24 "
        "pixels (bicubic) and encoded as JPEG of quality 90."
    )


def test_tars_name_images_by_their_encoding(
    small_archives: Path, tmp_path: Path
) -> None:
    outcome = build(
        *(small_archives, tmp_path, "--format", "webdataset,parquet"),
        *("--set", "images.policy=reencode", "images.encoding=webp"),
    )
    assert outcome.code == 0
    root = tmp_path / "webdataset" / NAME / "5.0.0" / "demo"
    (first, *_) = sorted(root.glob("train-*.tar"))
    found = list(FORMATS["webdataset"].codec.read(str(first)))
    assert {opened(example.image).format for example in found} == {"WEBP"}
    assert b".webp" in first.read_bytes()


# --- Statistics -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Archives with an image that occurs in both splits, and a build of them."""
    directory = tmp_path_factory.mktemp("counted")
    archives = directory / "archives"
    shape = DemoShape(classes=5, per_class=9, listed=6, validation=30, varied=False)
    make_archives(archives, shape)
    listed = (archives / SUBSET_LIST).read_text().split()
    data = (archives / TRAIN_ARCHIVE).read_bytes()

    def image_of(name: str) -> bytes:
        place = data.index(name.encode())
        size = int(data[place + 124 : place + 135], 8)
        return data[place + 512 :][:size]

    same, other = map(image_of, listed[:2])
    commented = other[:2] + b"\xff\xfe\x00\x05abc" + other[2:]
    validation = tar(
        [
            ("ILSVRC2012_val_00000001.JPEG", same),
            ("ILSVRC2012_val_00000009.JPEG", commented),
            *((f"ILSVRC2012_val_{i:08d}.JPEG", jpeg(i)) for i in range(2, 9)),
        ]
    )
    write_archives(archives, validation=validation)
    assert build(archives, directory / "data", "--statistics=full").code == 0
    return archives, directory / "data"


def test_statistics_are_a_plain_recount_of_the_output(
    counted: tuple[Path, Path],
) -> None:
    _, data_dir = counted
    found = statistics(data_dir)["splits"]
    for split in ("train", "validation"):
        records = examples(data_dir, split)
        images = [opened(record.image) for record in records]
        assert found[split]["examples"] == len(records)
        assert found[split]["image_bytes"] == sum(len(r.image) for r in records)
        labels = Counter(str(record.label) for record in records)
        assert found[split]["labels"] == dict(labels)
        assert found[split]["modes"] == dict(Counter(i.mode for i in images))
        widths = [i.width for i in images]
        assert found[split]["width"]["minimum"] == min(widths)
        assert found[split]["width"]["maximum"] == max(widths)
        assert math.isclose(found[split]["width"]["mean"], sum(widths) / len(widths))
        smallest = min(i.width * i.height for i in images)
        assert found[split]["smallest"][0]["value"] == smallest / 1e6
        assert found[split]["pixels"]["images"] == len(records)


def test_an_image_of_both_splits_is_found(counted: tuple[Path, Path]) -> None:
    archives, data_dir = counted
    (group,) = statistics(data_dir)["duplicates"]
    first = (archives / SUBSET_LIST).read_text().split()[0]
    assert [(each["split"], each["name"]) for each in group["images"]] == [
        ("train", first),
        ("validation", "ILSVRC2012_val_00000001.JPEG"),
    ]
    assert group["splits_differ"] is True
    data = (archives / TRAIN_ARCHIVE).read_bytes()
    (image, *_) = group["images"]
    original = data[image["offset"] :][: image["size"]]
    assert group["xxh3_128"] == content_hash(original).hex()


def test_equal_pixels_of_both_splits_are_found(counted: tuple[Path, Path]) -> None:
    archives, data_dir = counted
    (group,) = statistics(data_dir)["equal_pixels"]
    second = (archives / SUBSET_LIST).read_text().split()[1]
    assert [(each["split"], each["name"]) for each in group["images"]] == [
        ("train", second),
        ("validation", "ILSVRC2012_val_00000009.JPEG"),
    ]
    assert group["splits_differ"] is True
    report = (dataset_dir(data_dir) / "report.html").read_text()
    assert (
        "1 groups of images are equal byte for byte in the archives. 1 groups have "
        "equal pixels under different bytes. At most 20 groups of either kind are "
        "shown, and 6 images of each."
    ) in report


@pytest.mark.parametrize("workers", [1, 5])
def test_statistics_do_not_depend_on_the_number_of_threads(
    counted: tuple[Path, Path], tmp_path: Path, workers: int
) -> None:
    archives, data_dir = counted
    flags = ("--statistics=full", f"--direct_num_workers={workers}")
    outcome = build(archives, tmp_path, *flags, "--num_shards", "train=7")
    assert outcome.code == 0
    for name in ("statistics.json", "report.html"):
        assert (dataset_dir(tmp_path) / name).read_bytes() == (
            dataset_dir(data_dir) / name
        ).read_bytes()
