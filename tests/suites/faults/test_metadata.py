"""Builds of images whose metadata are damaged, too long, or say too much."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.archives import nested_tar, stated, tar, write_archives
from tests.helpers.jpegs import (
    BASE,
    EXTENDED,
    IPTC,
    SEVERAL,
    THUMBNAIL,
    save,
    segment,
    tiff,
    with_segments,
)
from tests.suites.faults.builds import FORMATS, build, outputs
from transforms.formats.table import FORMATS as READERS

WNID = "n01440764"
SECRET = b"CANARY"
EXIF = segment(0xE1, b"Exif\0\0" + tiff(6) + SECRET)
XMP = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>%b</x>" % SECRET)
SCANS = save(progressive=True)
SHARDS = {
    "tfrecord": "*-train.tfrecord-*",
    "array_record": "*-train.array_record-*",
    "parquet": "train-*.parquet",
    "webdataset": "train-*.tar",
}
LAST = SCANS.rindex(b"\xff\xda")


def with_length(part: bytes, wrong: int) -> bytes:
    """Returns a segment whose length is wrong, and a comment that it may run into."""
    length = len(part) - 2 + wrong
    return part[:2] + length.to_bytes(2, "big") + part[4:] + segment(0xFE, SECRET)


IMAGES = {
    "laden": with_segments(BASE, THUMBNAIL + EXIF + XMP + IPTC + segment(0xFE, SECRET)),
    "extended": with_segments(BASE, EXTENDED[:-4] + SECRET[:4], XMP),
    "short by 2": BASE[:2] + with_length(EXIF, -2) + BASE[20:],
    "short by 14": with_segments(BASE, with_length(EXIF, -14)),
    "long by 2": BASE[:2] + with_length(XMP, 2) + BASE[20:],
    "between scans": SCANS[:LAST] + EXIF + SCANS[LAST:],
    "several": with_segments(BASE, SEVERAL) + with_segments(BASE, EXIF),
    "behind the end": BASE + SECRET,
}


@pytest.fixture(scope="module")
def laden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives of such images; those for validation are the same."""
    names = [f"{WNID}_{number}.JPEG" for number in range(1, 1 + len(IMAGES))]
    members = list(zip(names, IMAGES.values(), strict=True))
    flat = [
        (f"ILSVRC2012_val_{number:08d}.JPEG", data)
        for number, data in enumerate(IMAGES.values(), 1)
    ]
    return write_archives(
        tmp_path_factory.mktemp("archives"),
        train=nested_tar({WNID: members}),
        validation=tar(flat),
        listed=names,
    )


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
        return image.tobytes()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of what is damaged
def test_nothing_that_is_stripped_reaches_a_dataset(
    laden: Path, tmp_path: Path
) -> None:
    flags = ("--format", ",".join(FORMATS), "--set", "images.exif=strip")
    flags += ("images.xmp=strip", "num_shards={}")
    ended = build(laden, tmp_path, *flags, *stated(laden))
    assert ended.code == 0, ended.err
    wanted = sorted(map(pixels, IMAGES.values()))
    for path in outputs(tmp_path):
        assert SECRET not in path.read_bytes(), path
    for name, pattern in SHARDS.items():
        (path,) = tmp_path.rglob(pattern)
        images = [example.image for example in READERS[name].codec.read(str(path))]
        assert sorted(map(pixels, images)) == wanted
        assert not any(SECRET in image for image in images)


def test_what_an_encoding_cannot_hold_is_counted(laden: Path, tmp_path: Path) -> None:
    ended = build(
        *(laden, tmp_path, "--set", "images.policy=reencode"),
        *("images.encoding=png", "images.orientation=apply", "num_shards={}"),
        *stated(laden),
    )
    assert ended.code == 0, ended.err
    (path,) = tmp_path.rglob("statistics.json")
    for split in ("train", "validation"):
        found = json.loads(path.read_text())["splits"][split]
        assert found["examples"] == len(IMAGES)
        assert found["warnings"]["metadata_dropped"] == 2  # an extension; no UTF-8
        assert found["orientations"] == {"1": len(IMAGES)}
    for path in tmp_path.rglob("*-train.tfrecord-*"):
        sizes = [
            np.asarray(Image.open(io.BytesIO(example.image))).shape[:2]
            for example in READERS["tfrecord"].codec.read(str(path))
        ]
        assert sorted(sizes) == [(40, 56)] * 6 + [(56, 40)] * 2
