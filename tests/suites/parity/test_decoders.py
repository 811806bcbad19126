"""What is written is opened by TensorFlow and by OpenCV, whatever its metadata are."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.helpers.jpegs import BASE, EXIF, LADEN, save, segment, tiff
from tests.suites.parity.scripts import run_script
from transforms.images.policy import ImagePolicy
from transforms.images.treatment import treat_image

PIXELS = np.random.default_rng(2).integers(0, 256, (24, 37, 3), dtype=np.uint8)
PROFILE = bytes(16) + b"RGB "
SIZES = {
    "exif": (65_527, 65_528, 1_048_575, 1_048_576, 9_000_000),
    "xmp": (65_504, 65_505, 1_048_575, 1_048_576, 9_000_000),
    "icc": (65_519, 65_520, 1_048_575, 1_048_576, 9_000_000, 16_707_345),
}
STARTS = {"exif": tiff(6), "xmp": b"<x>", "icc": PROFILE}


def png_with(**sizes: int) -> bytes:
    """Returns a PNG with metadata of some sizes."""
    values = {
        kind: STARTS[kind] + b" " * (size - len(STARTS[kind]))
        for kind, size in sizes.items()
    }
    texts = PngInfo()
    if "xmp" in values:
        texts.add_itxt("XML:com.adobe.xmp", values["xmp"].decode())
    encoded = io.BytesIO()
    Image.fromarray(PIXELS).save(
        encoded,
        "PNG",
        pnginfo=texts,
        exif=values.get("exif", b""),
        icc_profile=values.get("icc"),
    )
    return encoded.getvalue()


def decode(directory: Path, images: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Returns what each decoder makes of each image."""
    for name, data in images.items():
        (directory / name).write_bytes(data)
    found: dict[str, dict[str, Any]] = json.loads(
        run_script("read_with_decoders.py", str(directory))
    )
    assert sorted(found) == ["opencv", "tensorflow"]
    return found


@pytest.mark.parametrize("encoding", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("orientation", ["keep", "apply"])
def test_metadata_of_any_size_change_no_pixel(
    encoding: Any, orientation: Any, tmp_path: Path
) -> None:
    policy = ImagePolicy(
        policy="reencode", encoding=encoding, orientation=orientation, exif="strip"
    )
    kept = ImagePolicy(policy="reencode", encoding=encoding, orientation=orientation)
    images = {
        "plain": treat_image(png_with(), policy).data,
        "turned": treat_image(png_with(exif=len(tiff(6))), policy).data,
    }
    for kind, sizes in SIZES.items():
        for size in sizes:
            treated = treat_image(png_with(**{kind: size}), kept)
            images[f"{kind} {size}"] = treated.data
    for found in decode(tmp_path, images).values():
        plain, turned = found.pop("plain"), found.pop("turned")
        assert [side for side in plain[0] if side > 3] == [24, 37]
        for name, pixels in found.items():
            asks = name.startswith("exif") and orientation == "apply"
            assert (name, pixels) == (name, turned if asks else plain)


def test_stripping_changes_no_pixel(tmp_path: Path) -> None:
    strip = ImagePolicy(policy="keep", exif="strip", xmp="strip", icc="strip")
    scans = save(progressive=True)
    last = scans.rindex(b"\xff\xda")
    sources = {
        "laden": LADEN + LADEN,
        "between": scans[:last] + EXIF + scans[last:],
        "png": png_with(exif=100, xmp=9_000, icc=9_000),
    }
    for wrong in (-14, -2, 2):
        length = (len(EXIF) - 2 + wrong).to_bytes(2, "big")
        lame = EXIF[:2] + length + EXIF[4:] + segment(0xFE, b"comment")
        sources[f"wrong by {wrong}"] = BASE[:2] + lame + BASE[20:]
    images = dict(sources)
    for name, data in sources.items():
        images[f"{name} stripped"] = treat_image(data, strip).data
        assert len(images[f"{name} stripped"]) < len(data)
    for found in decode(tmp_path, images).values():
        for name in sources:
            shape, _ = found[name]
            assert shape in ([40, 56, 3], [24, 37, 3])
            assert found[f"{name} stripped"] == found[name]
