"""Sums over pixels, held against the pixels."""

import io
from pathlib import Path
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from transforms.pixels import Pixels, add_pixels, sample_pixels

RAMP = np.arange(16 * 24 * 3, dtype=np.uint16).reshape(16, 24, 3)
PICTURE = Image.fromarray((RAMP // 5).astype(np.uint8))


def encode(picture: Image.Image, kind: str = "PNG") -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, kind)
    return encoded.getvalue()


def plain(picture: Image.Image) -> Pixels:
    """Returns the sums by plain arithmetic."""
    rows = np.asarray(picture.convert("RGB")).reshape(-1, 3).tolist()
    totals = [sum(row[channel] for row in rows) for channel in range(3)]
    squares = [sum(row[channel] ** 2 for row in rows) for channel in range(3)]
    return Pixels(
        1,
        len(rows),
        (totals[0], totals[1], totals[2]),
        (squares[0], squares[1], squares[2]),
    )


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P"])
def test_a_png_is_summed_whole(mode: str) -> None:
    picture = PICTURE.convert(mode)
    assert sample_pixels(encode(picture)) == plain(picture)


def test_alpha_is_dropped() -> None:
    picture = PICTURE.copy()
    picture.putalpha(7)
    assert sample_pixels(encode(picture)) == plain(PICTURE)
    palette = PICTURE.convert("P")
    with_alpha = io.BytesIO()
    palette.save(with_alpha, "PNG", transparency=b"\x00\x80\xff")
    assert sample_pixels(with_alpha.getvalue()) == plain(palette)


def test_sixteen_bits_count_by_their_high_byte() -> None:
    deep = Image.fromarray(RAMP[:, :, 0] * 50)
    high = Image.fromarray((RAMP[:, :, 0] * 50 >> 8).astype(np.uint8))
    assert sample_pixels(encode(deep)) == plain(high)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_is_summed_at_an_eighth(mode: str) -> None:
    data = encode(PICTURE.convert(mode), "JPEG")
    found = sample_pixels(data)
    assert found is not None
    assert (found.images, found.count) == (1, 2 * 3)
    expected = plain(Image.open(io.BytesIO(data))).mean()
    assert found.mean() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"text", encode(PICTURE)[:60]])
def test_what_cannot_be_decoded_has_no_pixels(data: bytes) -> None:
    assert sample_pixels(data) is None


def test_mean_and_deviation_are_those_of_the_pixels() -> None:
    found = sample_pixels(encode(PICTURE))
    assert found is not None
    rows = np.asarray(PICTURE).reshape(-1, 3) / 255
    assert found.mean() == pytest.approx([fmean(c) for c in rows.T.tolist()], abs=1e-12)
    assert found.standard_deviation() == pytest.approx(
        [pstdev(channel) for channel in rows.T.tolist()], abs=1e-12
    )
    assert found.document() == {
        "images": 1,
        "count": 384,
        "mean": found.mean(),
        "standard_deviation": found.standard_deviation(),
    }


def test_one_pixel_does_not_deviate() -> None:
    assert Pixels(1, 1, (7, 0, 255), (49, 0, 65025)).standard_deviation() == [0, 0, 0]


CHANNELS = st.tuples(*[st.integers(0, 1 << 70)] * 3)
PIXELS = st.builds(Pixels, st.integers(1), st.integers(1), CHANNELS, CHANNELS)


@given(PIXELS, PIXELS)
def test_sums_add(a: Pixels, b: Pixels) -> None:
    both = add_pixels([a, None, b])
    assert both == add_pixels([b, a])
    assert both is not None
    assert (both.images, both.count) == (a.images + b.images, a.count + b.count)
    assert both.totals == tuple(map(sum, zip(a.totals, b.totals, strict=True)))
    assert both.squares == tuple(map(sum, zip(a.squares, b.squares, strict=True)))


def test_of_nothing_there_is_nothing() -> None:
    assert add_pixels([]) is None
    assert add_pixels([None, None]) is None


def test_photos_at_an_eighth_are_as_close_as_documented(shared: Path) -> None:
    data = [p.read_bytes() for p in sorted((shared / "data" / "photos").iterdir())[:20]]
    small = add_pixels(map(sample_pixels, data))
    large = add_pixels(
        sample_pixels(encode(Image.open(io.BytesIO(photo)).convert("RGB"), "BMP"))
        for photo in data
    )
    assert small is not None
    assert large is not None
    assert small.images == large.images == 20
    assert small.mean() == pytest.approx(large.mean(), abs=0.002)
    ratios = [
        ours / theirs
        for ours, theirs in zip(
            small.standard_deviation(), large.standard_deviation(), strict=True
        )
    ]
    assert all(0.9 < ratio < 0.99 for ratio in ratios), ratios
