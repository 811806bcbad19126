"""Decoding, resizing and encoding against Pillow alone, used slowly and plainly."""

import io
import math
import struct
import zlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import simplejpeg
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import get_sampling

from transforms.images import png, resizing
from transforms.images.policy import ImagePolicy, RejectedImage
from transforms.images.treatment import treat_image

Pixels = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.int16]


def noise(width: int, height: int, channels: int = 3, seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(width: int, height: int, channels: int = 3) -> Pixels:
    """Returns pixels that keep their looks when compressed."""
    planes = [
        Image.fromarray(noise(5, 4, 1, seed)[..., 0]).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        for seed in range(channels)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def save(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, kind, **options)
    return encoded.getvalue()


def without_adobe(data: bytes) -> bytes:
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return save(RGB, exif=exif)


def indexed() -> Image.Image:
    image = Image.fromarray(noise(67, 45, 1)[..., 0] % 12, "P")
    image.putpalette(noise(12, 1).tobytes())
    return image


# Made by ``cjpeg -arithmetic -quality 40 -sample 1x1`` of the squares below.
ARITHMETIC = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300140e0f120f0d14121012171514"
    "181e32211e1c1c1e3d2c2e243249404c4b47404645505a736250556d5645466488656d777b81"
    "82814e608d978c7d96737e817cffdb0043011517171e1a1e3b21213b7c5346537c7c7c7c7c7c"
    "7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c"
    "7c7c7c7c7c7cffc90011080010001803011100021101031101ffcc000a0010100501101105ff"
    "da000c03010002110311003f00d23dfca1775b5ae417f18905176ea40b6d1bebca759583ffd9"
)
SQUARES = np.kron(
    np.random.default_rng(3).integers(0, 256, (2, 3, 3), dtype=np.uint8),
    np.ones((8, 8, 1), np.uint8),
)

RGB = Image.fromarray(smooth(67, 45))
CMYK = Image.fromarray(smooth(67, 45, 4), "CMYK")
GREY_16 = Image.fromarray(noise(134, 45, 1)[..., 0].view(np.uint16))

IMAGES: Mapping[str, bytes] = {
    "rgb": save(RGB),
    "rgb-444": save(RGB, subsampling=0),
    "rgb-422": save(RGB, subsampling=1),
    "rgb-unconverted": save(RGB, keep_rgb=True),
    "noise": save(Image.fromarray(noise(67, 45)), quality=95),
    "progressive": save(RGB, progressive=True),
    "restarts": save(RGB, restart_marker_rows=1),
    "grey": save(RGB.convert("L")),
    "arithmetic": ARITHMETIC,
    "one-pixel": save(RGB.resize((1, 1))),
    "few-pixels": save(RGB.resize((3, 7))),
    "narrow": save(Image.fromarray(smooth(1, 5000))),
    "wide": save(Image.fromarray(smooth(20_000, 9))),
    "cmyk": save(CMYK, quality=95),
    "cmyk-420": save(CMYK, quality=95, subsampling=2),
    "cmyk-unmarked": without_adobe(save(CMYK, quality=95)),
    "ycck": simplejpeg.encode_jpeg(np.asarray(CMYK).copy(), 95, "CMYK", "420"),
    "png": save(RGB, "PNG"),
    "png-grey": save(RGB.convert("L"), "PNG"),
    "png-bits": save(RGB.convert("1"), "PNG"),
    "png-16": save(GREY_16, "PNG"),
    "png-alpha": save(Image.fromarray(smooth(67, 45, 4), "RGBA"), "PNG"),
    "png-grey-alpha": save(Image.fromarray(smooth(67, 45, 2), "LA"), "PNG"),
    "png-palette": save(indexed(), "PNG"),
    "png-palette-one-transparent": save(indexed(), "PNG", transparency=3),
    "png-palette-alpha": save(indexed(), "PNG", transparency=bytes([0, 128, 255])),
    "png-key": save(RGB, "PNG", transparency=(1, 2, 3)),
    **{f"turned-{number}": turned(number) for number in range(1, 9)},
}
CMYKS = {name for name in IMAGES if "cmyk" in name or "ycck" in name}


# --- The plain way --------------------------------------------------------------------


def decode_plainly(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    if image.mode == "CMYK":
        light = np.asarray(image).astype(np.int32)  # Pillow takes all for inverted
        if image.info.get("adobe"):
            light = 255 - light
        return Image.fromarray(
            (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)
        )
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    if image.mode == "1":
        return image.convert("L")
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB") if image.mode == "P" else image


def half_up(value: Fraction) -> int:
    return max(1, math.floor(value + Fraction(1, 2)))


def resize_plainly(image: Image.Image, policy: ImagePolicy) -> Image.Image:
    width, height = image.size
    if policy.exact:
        wide, high = policy.exact
        factor = max(Fraction(wide, width), Fraction(high, height))
    elif policy.shortest_side:
        factor = Fraction(policy.shortest_side, min(width, height))
    else:
        factor = Fraction(policy.longest_side or 0, max(width, height))
    if factor > 1 and not policy.enlarge:
        factor = Fraction(1)
    size = half_up(width * factor), half_up(height * factor)
    image = columns_then_rows(image, size, Image.Resampling[policy.filter.upper()])
    if policy.exact:
        left, upper = (
            max(0, n - m) // 2 for n, m in zip(size, policy.exact, strict=True)
        )
        right, lower = left + min(wide, size[0]), upper + min(high, size[1])
        return image.crop((left, upper, right, lower))
    return image


def columns_then_rows(
    image: Image.Image, size: tuple[int, int], method: Image.Resampling
) -> Image.Image:
    """Resizes one side after the other; Pillow by itself begins with the rows."""
    if image.size == size:
        return image
    if image.mode in ("LA", "RGBA"):
        shown = image.convert(image.mode.replace("A", "a"))
        return columns_then_rows(shown, size, method).convert(image.mode)
    return image.resize((image.width, size[1]), method).resize(size, method)


def treat_plainly(data: bytes, policy: ImagePolicy) -> Image.Image:
    """Returns the pixels that are to be encoded."""
    image = decode_plainly(data)
    if policy.orientation == "apply":
        orientation = Image.open(io.BytesIO(data)).getexif().get(0x0112, 1)
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.info["exif"] = exif.tobytes()
        image = ImageOps.exif_transpose(image)
    if policy.colour == "rgb":
        image = image.convert("RGB")
    if policy.encoding == "jpeg" and image.mode in ("LA", "RGBA"):
        image = image.convert(image.mode[:-1])
    return resize_plainly(image, policy) if policy.policy == "resize" else image


def levels(image: Image.Image) -> Levels:
    return np.asarray(image).astype(np.int16)


def apart(data: bytes, expected: Image.Image) -> Levels:
    """Returns by how many levels a file's pixels are apart from others."""
    with Image.open(io.BytesIO(data)) as image:
        assert (image.mode, image.size) == (expected.mode, expected.size)
        if image.mode in ("LA", "RGBA"):  # colours count as much as they show
            shown = image.mode.replace("A", "a")
            return np.abs(
                levels(image.convert(shown)) - levels(expected.convert(shown))
            )
        return np.abs(levels(image) - levels(expected))


# --- Policies -------------------------------------------------------------------------

SHARED: dict[str, Any] = {"encoding": "png"}  # lossless, so that nothing hides
POLICIES: Mapping[str, ImagePolicy] = {
    "reencode": ImagePolicy(policy="reencode", **SHARED),
    "upright": ImagePolicy(policy="reencode", orientation="apply", **SHARED),
    "rgb": ImagePolicy(policy="reencode", colour="rgb", **SHARED),
    "shortest": ImagePolicy(policy="resize", shortest_side=20, **SHARED),
    "longest": ImagePolicy(policy="resize", longest_side=30, **SHARED),
    "longest-rgb": ImagePolicy(policy="resize", longest_side=7, colour="rgb", **SHARED),
    "exact": ImagePolicy(policy="resize", exact=(21, 30), **SHARED),
    "exact-wide": ImagePolicy(policy="resize", exact=(40, 3), **SHARED),
    "exact-larger": ImagePolicy(policy="resize", exact=(51, 64), **SHARED),
    "exact-enlarged": ImagePolicy(
        policy="resize", exact=(51, 64), enlarge=True, **SHARED
    ),
    "enlarged": ImagePolicy(policy="resize", longest_side=99, enlarge=True, **SHARED),
    "not-enlarged": ImagePolicy(policy="resize", shortest_side=8000, **SHARED),
    "upright-shortest": ImagePolicy(
        policy="resize", shortest_side=20, orientation="apply", **SHARED
    ),
    "upright-exact": ImagePolicy(
        policy="resize", exact=(20, 31), orientation="apply", **SHARED
    ),
    **{
        name: ImagePolicy(policy="resize", shortest_side=23, filter=name, **SHARED)
        for name in ("bilinear", "bicubic", "lanczos")
    },
}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("name", IMAGES)
def test_pixels_are_those_of_the_plain_way(name: str, policy: ImagePolicy) -> None:
    if policy.enlarge and name in ("narrow", "wide"):
        pytest.skip("it would get millions of pixels")
    treated = treat_image(IMAGES[name], policy)
    far = apart(treated.data, treat_plainly(IMAGES[name], policy))
    # CMYK is decoded with the fast DCT, which is 16 levels apart at most. Filters have
    # weights of their own precision, and rounding to the other side adds up.
    rounded = 2 if policy.policy == "resize" else 0
    assert far.max() <= (16 if name in CMYKS else rounded)
    assert far.mean() <= (1.5 if name in CMYKS else 0.15 * rounded)
    assert treated.warnings == ()


@pytest.mark.parametrize(
    ("options", "plain"),
    [
        ({"quality": 91}, {"quality": 91, "subsampling": "4:2:0"}),
        ({"quality": 96}, {"quality": 96, "subsampling": "4:2:0"}),
        (
            {"quality": 95, "subsampling": "4:2:2"},
            {"quality": 95, "subsampling": "4:2:2"},
        ),
        (
            {"quality": 100, "subsampling": "4:4:4"},
            {"quality": 100, "subsampling": "4:4:4"},
        ),
        (
            {"progressive": True},
            {"quality": 90, "subsampling": "4:2:0", "progressive": True},
        ),
        (
            {"optimize": True, "quality": 100},
            {"quality": 100, "subsampling": "4:2:0", "optimize": True},
        ),
    ],
    ids=["91", "96", "95-422", "100-444", "progressive", "optimize"],
)
@pytest.mark.parametrize("name", ["noise", "grey", "png-alpha", "wide", "one-pixel"])
def test_jpegs_are_those_that_pillow_writes(
    name: str, options: dict[str, Any], plain: dict[str, Any]
) -> None:
    policy = ImagePolicy(policy="reencode", **options)
    data = treat_image(IMAGES[name], policy).data
    expected = save(treat_plainly(IMAGES[name], policy), **plain)
    with (
        Image.open(io.BytesIO(data)) as ours,
        Image.open(io.BytesIO(expected)) as theirs,
    ):
        assert ours.quantization == theirs.quantization
        assert ours.info.get("progressive") == theirs.info.get("progressive")
        assert get_sampling(ours) == get_sampling(theirs)
        assert ours.mode == theirs.mode
        assert not np.any(levels(ours) - levels(theirs))
    if "optimize" in options or "progressive" in options:
        assert data == expected


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [35, 75, 90])
@pytest.mark.parametrize("name", ["noise", "rgb", "grey", "png-alpha", "wide"])
def test_jpegs_up_to_quality_90_are_as_good_as_those_that_pillow_writes(
    name: str, quality: int, subsampling: Any
) -> None:
    # The fast DCT rounds some coefficients to a neighbour, which costs up to 0.5 dB
    # where there is more than a trace to lose.
    options: dict[str, Any] = {"quality": quality, "subsampling": subsampling}
    policy = ImagePolicy(policy="reencode", **options)
    source = treat_plainly(IMAGES[name], policy)
    data = treat_image(IMAGES[name], policy).data
    expected = save(source, **options)
    with (
        Image.open(io.BytesIO(data)) as ours,
        Image.open(io.BytesIO(expected)) as theirs,
    ):
        assert ours.quantization == theirs.quantization
        assert get_sampling(ours) == get_sampling(theirs)
    error = np.square(apart(data, source)).mean()
    assert error <= 1.12 * np.square(apart(expected, source)).mean() + 0.1
    assert len(data) == pytest.approx(len(expected), rel=0.02)


@pytest.mark.parametrize("name", ["rgb", "grey", "png-alpha", "png-grey-alpha"])
def test_webp_is_what_pillow_writes(name: str) -> None:
    policy = ImagePolicy(policy="reencode", encoding="webp", quality=55)
    data = treat_image(IMAGES[name], policy).data
    assert data == save(treat_plainly(IMAGES[name], policy), "WEBP", quality=55)


@pytest.mark.parametrize("quality", range(1, 101, 9))
def test_progressive_jpegs_have_the_tables_of_their_quality(quality: int) -> None:
    options: dict[str, Any] = {"quality": quality, "progressive": True}
    data = treat_image(save(RGB), ImagePolicy(policy="reencode", **options)).data
    assert data == save(decode_plainly(save(RGB)), subsampling="4:2:0", **options)


# Black or white at random in every channel: more details than photos have.
EXTREMES = Image.fromarray(noise(300, 250) // 128 * 255)


def test_details_are_not_too_much_for_progressive_jpegs() -> None:
    # Pillow has less room than this takes where it is told a quality below 95.
    options: dict[str, Any] = {"quality": 94, "subsampling": "4:2:0"}
    with pytest.raises(OSError, match="broken data stream"):
        save(EXTREMES, progressive=True, **options)
    policy = ImagePolicy(policy="reencode", progressive=True, **options)
    data = treat_image(save(EXTREMES, "PNG"), policy).data
    with Image.open(io.BytesIO(save(EXTREMES, **options))) as expected:
        assert apart(data, expected).max() == 0


def test_noise_that_no_progressive_jpeg_holds_is_rejected() -> None:
    policy = ImagePolicy(
        policy="reencode", quality=100, subsampling="4:4:4", progressive=True
    )
    with pytest.raises(RejectedImage) as caught:
        treat_image(save(EXTREMES, "PNG"), policy)
    assert caught.value.reason == "unencodable"


def test_arithmetic_coding_hides_the_pixels_of_plain_coding() -> None:
    plain = save(Image.fromarray(SQUARES), quality=40, subsampling=0)
    with Image.open(io.BytesIO(plain)) as expected:
        policy = POLICIES["reencode"]
        assert apart(treat_image(ARITHMETIC, policy).data, expected).max() == 0


# --- Scaling while decoding -----------------------------------------------------------


def psnr(far: Levels) -> float:
    return 10 * math.log10(255**2 / max(1e-9, float(np.square(far / 1.0).mean())))


@pytest.mark.parametrize(("width", "height"), [(801, 613), (640, 1027)])
@pytest.mark.parametrize("side", [150, 75, 30])
@pytest.mark.parametrize("kind", ["shortest_side", "exact"])
def test_scaling_while_decoding_moves_nothing(
    width: int, height: int, side: int, kind: str
) -> None:
    data = save(Image.fromarray(smooth(width, height)), quality=95)
    size: Any = side if kind == "shortest_side" else (side, side)
    policy = ImagePolicy(policy="resize", encoding="png", **{kind: size})
    fit = resizing.fit_size(width, height, policy)
    assert resizing.decode_scale(width, height, fit) > 1
    far = apart(treat_image(data, policy).data, treat_plainly(data, policy))
    # A shift by a tenth of a pixel would show as several levels.
    assert far.max() <= 2
    assert far.mean() < 0.5


def test_what_a_damaged_jpeg_is_scaled_to_is_the_same() -> None:
    data = save(Image.fromarray(smooth(801, 613)), quality=95)
    policy = ImagePolicy(policy="resize", encoding="png", longest_side=90)
    damaged = data[:-2] + b"junk" * 9 + b"\xff\xd9"
    treated = treat_image(damaged, policy)
    assert treated.warnings == ("extraneous_bytes",)
    assert treated.data == treat_image(data, policy).data


# --- Photos ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "worst"),
    [
        # Equal where nothing is scaled while decoding. Elsewhere 30 dB, which is less
        # than what encoding at quality 90 costs those photos.
        pytest.param(POLICIES["reencode"], 90, id="reencode"),
        pytest.param(
            ImagePolicy(policy="resize", shortest_side=256, encoding="png"),
            40,
            id="256",
        ),
        pytest.param(
            ImagePolicy(policy="resize", exact=(64, 64), encoding="png"), 28, id="64"
        ),
    ],
)
def test_photos_look_as_they_do_the_plain_way(
    policy: ImagePolicy, worst: float, shared: Path
) -> None:
    photos = sorted((shared / "data" / "photos").iterdir())[::10]
    assert len(photos) >= 10
    found = []
    for path in photos:
        data = path.read_bytes()
        far = apart(treat_image(data, policy).data, treat_plainly(data, policy))
        found.append(psnr(far))
    assert min(found) >= worst
    assert np.median(found) >= worst + 5


# --- Transparency of PNGs -------------------------------------------------------------


def png_of(
    bits: int, colours: int, rows: list[bytes], *more: tuple[bytes, bytes]
) -> bytes:
    """Returns a PNG of rows of packed samples, 16 pixels wide."""
    header = struct.pack(">IIBBBBB", 16, len(rows), bits, colours, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", header), *more, (b"IDAT", body), (b"IEND", b"")]
    return png.SIGNATURE + b"".join(
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def packed(values: list[int], bits: int) -> bytes:
    number = 0
    for value in values:
        number = number << bits | value
    return number.to_bytes(len(values) * bits // 8, "big")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_grey_that_is_transparent_stays_so(bits: int) -> None:
    most = (1 << bits) - 1
    rng = np.random.default_rng(bits)
    grey = rng.integers(0, most + 1, (5, 16))
    grey[0, :4] = 0, most, most // 2, most // 2
    for key in (0, most, most // 2):
        rows = [packed(row, bits) for row in grey.tolist()]
        data = png_of(bits, 0, rows, (b"tRNS", struct.pack(">H", key)))
        with Image.open(
            io.BytesIO(treat_image(data, POLICIES["reencode"]).data)
        ) as ours:
            assert ours.mode == "LA"
            light, alpha = np.moveaxis(np.asarray(ours), -1, 0)
        assert np.array_equal(alpha, np.where(grey == key, 0, 255))
        eight = grey >> 8 if bits == 16 else grey * 255 // most
        assert np.array_equal(light, eight)
        if bits in (1, 8):  # of which Pillow tells as much
            with Image.open(io.BytesIO(data)) as theirs:
                assert np.array_equal(np.asarray(theirs.convert("LA"))[..., 1], alpha)
        opaque = treat_image(
            data, ImagePolicy(policy="reencode", colour="rgb", **SHARED)
        )
        with Image.open(io.BytesIO(opaque.data)) as ours:
            assert ours.mode == "RGB"
            assert np.array_equal(np.asarray(ours), eight[..., None].repeat(3, axis=2))


@pytest.mark.filterwarnings("ignore:Palette images with Transparency:UserWarning")
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_with_transparency_have_pillows_pixels(bits: int) -> None:
    rng = np.random.default_rng(bits)
    for colours in {1, 2, 1 << bits, max(1, (1 << bits) - 3)}:
        for size in (0, 1, 2, colours, colours + 1, 256):
            for alphas in (rng.bytes(size), bytes(size), b"\xff" * size + b"\0"):
                rows = [rng.bytes(2 * bits) for _ in range(3)]
                data = png_of(
                    *(bits, 3, rows, (b"PLTE", rng.bytes(3 * colours))),
                    *([(b"tRNS", alphas)] if alphas else []),
                )
                with Image.open(io.BytesIO(data)) as theirs:
                    transparent = theirs.info.get("transparency")
                    if isinstance(transparent, int) and transparent >= colours:
                        del theirs.info["transparency"]  # Pillow fails there
                    elif transparent is not None and not isinstance(transparent, int):
                        theirs.info["transparency"] = transparent[:256]
                    expected = np.asarray(theirs.convert("RGB"))
                    shown = np.asarray(theirs.convert("RGBA"))
                made = treat_image(data, POLICIES["rgb"]).data
                with Image.open(io.BytesIO(made)) as ours:
                    assert np.array_equal(np.asarray(ours), expected)
                if alphas:
                    kept = treat_image(data, POLICIES["reencode"]).data
                    with Image.open(io.BytesIO(kept)) as ours:
                        assert np.array_equal(np.asarray(ours.convert("RGBA")), shown)


@pytest.mark.parametrize("key", [(1, 2, 3), (0x1234, 0x5678, 0x9ABC)])
def test_the_colour_that_is_transparent_is_pillows(key: tuple[int, ...]) -> None:
    bits = 8 if max(key) < 256 else 16
    row = packed([*key, *(value ^ 1 for value in key)] * 8, bits)
    data = png_of(bits, 2, [row], (b"tRNS", struct.pack(">3H", *key)))
    made = treat_image(data, POLICIES["reencode"]).data
    with Image.open(io.BytesIO(data)) as theirs, Image.open(io.BytesIO(made)) as ours:
        assert np.array_equal(np.asarray(theirs.convert("RGBA")), np.asarray(ours))
