"""What is done to images: one frozen value, which the configuration is read into.

Four policies. ``keep`` and ``repair`` hand on the bytes they are given, ``repair`` with
the exception of CMYK JPEGs and PNGs, which become RGB JPEGs as in TFDS. ``reencode``
and ``resize`` decode every image and encode it again. An option that has no effect
beside the others is an error.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from transforms.errors import ConfigError, ImageError
from transforms.images.metadata import KINDS, Kind

Policy = Literal["keep", "repair", "reencode", "resize"]
Encoding = Literal["jpeg", "webp", "png"]
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
Filter = Literal["bilinear", "bicubic", "lanczos"]
KeepOrStrip = Literal["keep", "strip"]
Orientation = Literal["keep", "apply"]
Colour = Literal["keep", "rgb"]
Check = Literal["header", "decode"]

_CHOICES: Final = {
    "policy": Policy,
    "encoding": Encoding,
    "subsampling": Subsampling,
    "filter": Filter,
    "exif": KeepOrStrip,
    "xmp": KeepOrStrip,
    "icc": KeepOrStrip,
    "orientation": Orientation,
    "colour": Colour,
    "check": Check,
}
_SIZES: Final = ("shortest_side", "longest_side", "exact")

# Options by what they need to have an effect: a field and its values.
_NEEDS: Final = (
    (
        "policy",
        ("reencode", "resize"),
        (
            *("encoding", "quality", "subsampling", "progressive", "optimize"),
            *("orientation", "colour"),
        ),
    ),
    ("policy", ("resize",), (*_SIZES, "enlarge", "filter")),
    ("encoding", ("jpeg", "webp"), ("quality",)),
    ("encoding", ("jpeg", "png"), ("optimize",)),
    ("encoding", ("jpeg",), ("subsampling", "progressive")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicy:
    """What is done to every image.

    The bounds depend on the image alone. A bound in seconds would let the machine
    decide what is in the dataset; the time to decode grows with bytes, with pixels, and
    with pixels times scans, so these are bounded instead. ``docs/robustness.md`` has
    the measurements that the defaults were chosen from.

    Attributes:
        policy: ``keep`` the bytes; ``repair`` CMYK JPEGs and PNGs as TFDS does;
            ``reencode`` every image; or ``resize``, which encodes again too, except
            JPEGs that fit as they are.
        encoding: What ``reencode`` and ``resize`` write.
        quality: Of JPEG and WebP, 1 to 100.
        subsampling: Of a JPEG's colours.
        progressive: Whether JPEGs are progressive.
        optimize: Whether the encoder looks for smaller JPEGs or PNGs, which takes time.
        shortest_side: Pixels that the shorter side gets; the longer one keeps pace.
        longest_side: Pixels that the longer side gets; the shorter one keeps pace.
        exact: Width and height in pixels. The image is scaled until it covers them,
            and what exceeds them is cut off equally on both sides; of an odd number of
            pixels, one more at the right or below.
        enlarge: Whether smaller images are enlarged. Where not, they keep their size,
            and ``exact`` only crops.
        filter: How pixels are averaged, in Pillow's names, over as many of them as a
            reduction takes.
        exif: Whether EXIF stays. All that is stored beside the pixels and is neither
            XMP nor a colour profile goes with it: comments, texts, thumbnails, later
            pictures, segments of cameras and programs; and the orientation that it asks
            for, unless XMP has it too. An image that EXIF cannot be cut out of is
            rejected.
        xmp: Whether XMP stays. Its extension, Photoshop's data, which may hold a copy,
            and what follows the picture go with it.
        icc: Whether the colour profile stays. Colours are never converted to another;
            a profile of CMYK is dropped where the pixels become RGB, and so on.
        orientation: ``keep`` the pixels as stored, or ``apply`` what EXIF asks for, or
            XMP where EXIF does not say. Once it is applied, neither asks for it.
        colour: ``keep`` grey images grey and transparency where the encoding has it,
            or make all ``rgb``.
        check: Look at the ``header`` alone, or ``decode`` images that are otherwise
            handed on undecoded.
        max_pixels: Most pixels of an image, before and after.
        max_bytes: Most bytes of an image before.
        max_scans: Most scans of a JPEG.
        max_scan_pixels: Most pixels times scans of a JPEG. A scan that is coded
            arithmetically counts eight times.
    """

    policy: Policy = "repair"
    encoding: Encoding = "jpeg"
    quality: int = 90
    subsampling: Subsampling = "4:2:0"
    progressive: bool = False
    optimize: bool = False
    shortest_side: int | None = None
    longest_side: int | None = None
    exact: tuple[int, ...] = ()
    enlarge: bool = False
    filter: Filter = "bicubic"
    exif: KeepOrStrip = "keep"
    xmp: KeepOrStrip = "keep"
    icc: KeepOrStrip = "keep"
    orientation: Orientation = "keep"
    colour: Colour = "keep"
    check: Check = "header"
    max_pixels: int = 1 << 26
    max_bytes: int = 1 << 26
    max_scans: int = 500
    max_scan_pixels: int = 800_000_000

    @property
    def stripped(self) -> frozenset[Kind]:
        """The kinds of metadata that do not stay."""
        return frozenset(kind for kind in KINDS if getattr(self, kind) == "strip")

    @property
    def encodes(self) -> bool:
        """Whether every image is encoded again, except those that fit as they are."""
        return self.policy in ("reencode", "resize")

    @property
    def decodes(self) -> bool:
        """Whether every image is decoded, or all but a few."""
        return self.encodes or self.check == "decode"

    @property
    def encodings(self) -> tuple[str, ...]:
        """How images may be encoded in the end."""
        if self.encodes:
            return (self.encoding,)
        return ("jpeg", "png") if self.policy == "keep" else ("jpeg",)

    def in_words(self) -> str:
        """Returns a sentence or two on what is done, for the dataset's description."""
        if self.policy == "keep":
            said = "Images keep the bytes they have in the archives"
        elif self.policy == "repair":
            said = (
                "Images keep the bytes they have in the archives, but that CMYK JPEGs "
                "and PNGs become RGB JPEGs"
            )
        else:
            quality = "" if self.encoding == "png" else f" of quality {self.quality}"
            encoded = f"encoded as {self.encoding.upper()}{quality}"
            said = f"Images are {self._size_in_words()}{encoded}"
        if self.stripped:
            said += f", without {', '.join(sorted(map(str.upper, self.stripped)))}"
        return f"{said}."

    def _size_in_words(self) -> str:
        if self.policy != "resize":
            return ""
        if self.exact:
            size = "{} x {} pixels".format(*self.exact)
        else:
            sides = {"shortest": self.shortest_side, "longest": self.longest_side}
            ((side, pixels),) = ((k, v) for k, v in sides.items() if v)
            size = f"a {side} side of {pixels:,} pixels"
        return f"resized to {size} ({self.filter}) and "

    def __post_init__(self) -> None:
        """Refuses wrong values and options without effect.

        Raises:
            ConfigError: A value is none that a field can have, or has no effect.
        """
        for name, kind in _CHOICES.items():
            _require_choice(name, getattr(self, name), get_args(kind))
        _require_number("quality", self.quality, 1, 100)
        for name in ("max_pixels", "max_bytes", "max_scans", "max_scan_pixels"):
            _require_number(name, getattr(self, name), 1)
        for name in ("progressive", "optimize", "enlarge"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(
                    f"images.{name} is {getattr(self, name)!r}, expected true or false."
                )
        self._require_a_size()
        self._require_effects()

    def _require_a_size(self) -> None:
        for name in ("shortest_side", "longest_side"):
            if getattr(self, name) is not None:
                _require_number(name, getattr(self, name), 1)
        if self.exact != ():
            if not isinstance(self.exact, tuple) or len(self.exact) != 2:
                raise ConfigError(
                    f"images.exact is {self.exact!r}, expected a width and a height, "
                    "such as (224, 224)."
                )
            for side in self.exact:
                _require_number("exact", side, 1)
        given = [name for name in _SIZES if getattr(self, name)]
        if self.policy == "resize" and len(given) != 1:
            raise ConfigError(
                "images.policy=resize needs one of images.shortest_side, "
                f"images.longest_side and images.exact; {len(given)} are given."
            )

    def _require_effects(self) -> None:
        defaults: dict[str, Any] = {each.name: each.default for each in fields(self)}
        for key, values, options in _NEEDS:
            if getattr(self, key) in values:
                continue
            for option in options:
                if getattr(self, option) != defaults[option]:
                    raise ConfigError(
                        f"images.{option} has no effect with images.{key}="
                        f"{getattr(self, key)}; it needs {' or '.join(values)}."
                    )


def _require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"images.{name} is {value!r}, expected one of {', '.join(choices)}."
        )


def _require_number(
    name: str, value: object, least: int, most: int | None = None
) -> None:
    # A bool is an int in Python, but none to the user.
    number = isinstance(value, int) and not isinstance(value, bool)
    if not number or value < least or (most is not None and value > most):  # type: ignore[operator]
        bounds = f"{least} or more" if most is None else f"{least} to {most}"
        raise ConfigError(
            f"images.{name} is {value!r}, expected a whole number, {bounds}."
        )


# Why an image is rejected.
REASONS: Final = (
    "empty",  # no bytes
    "too_large",  # more bytes than max_bytes
    "wrong_kind",  # neither a JPEG nor a PNG
    "truncated",  # it ends before its pixels do
    "undecodable",  # its header or its pixels are not what a decoder knows
    "too_many_pixels",  # more than max_pixels, as it is or as it would become
    "too_many_scans",  # more than max_scans, or max_scan_pixels with its pixels
    "unencodable",  # wider or higher than the encoding allows
    "unstrippable",  # metadata can't be cut out of it without touching its pixels
)


class RejectedImage(ImageError):  # noqa: N818
    """An image that cannot be part of a dataset.

    Attributes:
        reason: One of ``REASONS``.
    """

    def __init__(self, reason: str, message: str) -> None:
        """Takes both, in this order, so that it survives pickling."""
        super().__init__(reason, message)
        self.reason = reason

    def __str__(self) -> str:
        """Returns the message."""
        return str(self.args[1])
