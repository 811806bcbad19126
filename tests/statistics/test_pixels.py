"""Sums over pixels, held against the pixels."""

import io
import struct
from pathlib import Path
from statistics import fmean, pstdev

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from transforms.images import jpeg
from transforms.images.policy import ImagePolicy, RejectedImage
from transforms.images.treatment import treat_image
from transforms.statistics.pixels import Pixels, add_pixels, sample_pixels

RAMP = np.arange(16 * 24 * 3, dtype=np.uint16).reshape(16, 24, 3)
PICTURE = Image.fromarray((RAMP // 5).astype(np.uint8))


def encode(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, kind, **options)
    return encoded.getvalue()


def sums_of(data: bytes) -> Pixels | None:
    sample = sample_pixels(data)
    return sample and sample.sums


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
    assert sums_of(encode(picture)) == plain(picture)


def test_alpha_is_dropped() -> None:
    picture = PICTURE.copy()
    picture.putalpha(7)
    assert sums_of(encode(picture)) == plain(PICTURE)
    palette = PICTURE.convert("P")
    with_alpha = io.BytesIO()
    palette.save(with_alpha, "PNG", transparency=b"\x00\x80\xff")
    assert sums_of(with_alpha.getvalue()) == plain(palette)


def test_sixteen_bits_count_by_their_high_byte() -> None:
    deep = Image.fromarray(RAMP[:, :, 0] * 50)
    high = Image.fromarray((RAMP[:, :, 0] * 50 >> 8).astype(np.uint8))
    assert sums_of(encode(deep)) == plain(high)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_is_summed_at_an_eighth(mode: str) -> None:
    data = encode(PICTURE.convert(mode), "JPEG")
    found = sums_of(data)
    assert found is not None
    assert (found.images, found.count) == (1, 2 * 3)
    expected = plain(Image.open(io.BytesIO(data))).mean()
    assert found.mean() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"text", encode(PICTURE)[:60]])
def test_what_cannot_be_decoded_has_no_pixels(data: bytes) -> None:
    assert sums_of(data) is None


def test_mean_and_deviation_are_those_of_the_pixels() -> None:
    found = sums_of(encode(PICTURE))
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
    small = add_pixels(map(sums_of, data))
    large = add_pixels(
        sums_of(encode(Image.open(io.BytesIO(photo)).convert("RGB"), "BMP"))
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


# --- JPEGs that can't be scaled -------------------------------------------------------


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def lossless(marker: int = 0xC3, sampling: int = 0x11) -> bytes:
    """Returns a JPEG of 64 by 48 pixels that are coded as differences, all 0."""
    factors = bytes((1, sampling, 0, 2, 0x11, 0, 3, 0x11, 0))
    return b"".join(
        (
            jpeg.START,
            segment(marker, struct.pack(">BHHB", 8, 48, 64, 3) + factors),
            segment(0xC4, bytes((0, 1, *bytes(15), 0))),
            segment(jpeg.SCAN, bytes((3, 1, 0, 2, 0, 3, 0, 1, 0, 0))),
            bytes(2000),
            jpeg.END,
        )
    )


def test_turbojpeg_writes_behind_its_room_for_a_scaled_lossless_jpeg() -> None:
    # The fault that is kept away from; where this fails, TurboJPEG has mended it.
    room = np.full(64 * 48 * 3, 0xA5, np.uint8)
    small = simplejpeg.decode_jpeg(
        lossless(), "RGB", min_height=1, min_width=1, buffer=room, strict=False
    )
    assert small.shape == (6, 8, 3)
    assert np.any(room[small.size :] != 0xA5)


@pytest.mark.parametrize("sampling", [0x11, 0x21, 0x12, 0x22, 0x41])
@pytest.mark.parametrize("marker", sorted(jpeg.FRAMES - {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}))
def test_lossless_and_hierarchical_jpegs_are_never_scaled(
    marker: int, sampling: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        pytest.fail("it would be scaled")

    monkeypatch.setattr(simplejpeg, "decode_jpeg", refuse)
    data = lossless(marker, sampling)
    assert sums_of(data) is None
    for policy in (
        ImagePolicy(check="decode"),
        ImagePolicy(policy="reencode"),
        ImagePolicy(policy="resize", longest_side=4),
    ):
        with pytest.raises(RejectedImage):
            treat_image(data, policy)


FACTORS = st.integers(1, 4).flatmap(
    lambda x: st.integers(1, 4).map(lambda y: x << 4 | y)
)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(["RGB", "CMYK", "L", "lossless"]),
    st.booleans(),
    st.lists(FACTORS, min_size=4, max_size=4),
    st.lists(st.tuples(st.integers(2, 400), st.integers(0, 255)), max_size=3),
)
def test_whatever_the_header_scaling_stays_within_its_room(
    mode: str, progressive: bool, factors: list[int], changes: list[tuple[int, int]]
) -> None:
    data = bytearray(
        lossless()
        if mode == "lossless"
        else encode(PICTURE.convert(mode), "JPEG", progressive=progressive)
    )
    frame = next(
        start for m, start, _, _ in jpeg.read_segments(data) if m in jpeg.FRAMES
    )
    for number in range(data[frame + 9]):
        data[frame + 11 + 3 * number] = factors[number]
    for place, value in changes:
        if place < len(data) and place not in range(frame + 5, frame + 9):
            data[place] = value
    damaged = bytes(data)
    found = jpeg.read_frame(damaged, jpeg.read_segments(damaged))
    if found is None or not found.decodable:
        return  # which is never scaled
    room = np.full(1 << 16, 0xA5, np.uint8)
    try:
        small = simplejpeg.decode_jpeg(
            damaged, "RGB", min_height=1, min_width=1, buffer=room, strict=False
        )
    except ValueError:
        return
    assert np.all(room[small.size :] == 0xA5)


def digest_of(data: bytes) -> bytes:
    sample = sample_pixels(data)
    assert sample is not None
    return sample.digest


def test_pictures_have_one_hash_whatever_bytes_say_besides() -> None:
    rng = np.random.default_rng(0)
    for side in (24, 400):  # decoded whole, and at an eighth
        picture = Image.fromarray(rng.integers(0, 255, (side, side, 3), np.uint8))
        one = encode(picture, "JPEG", quality=80)
        other = encode(picture, "JPEG", quality=80, comment=b"edited", progressive=True)
        assert one != other
        assert digest_of(one) == digest_of(other)
        assert digest_of(one) != digest_of(encode(picture, "JPEG", quality=79))
        changed = picture.copy()
        changed.putpixel((3, 3), (0, 255, 0))
        assert digest_of(one) != digest_of(encode(changed, "JPEG", quality=80))


def test_small_pictures_with_equal_means_are_told_apart() -> None:
    # At an eighth, each is one grey pixel.
    stripes = np.zeros((8, 8), np.uint8)
    stripes[::2] = 255
    across, down = (Image.fromarray(each) for each in (stripes, stripes.T.copy()))
    assert digest_of(encode(across, "JPEG")) != digest_of(encode(down, "JPEG"))


def test_pictures_of_other_shapes_have_other_hashes() -> None:
    wide, high = (Image.new("RGB", size) for size in ((64, 32), (32, 64)))
    assert digest_of(encode(wide)) != digest_of(encode(high))
