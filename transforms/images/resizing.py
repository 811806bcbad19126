"""Resizes and turns decoded images, with fast_image_resize.

A decoded image is an array of rows, columns and channels, of which one is grey, two
grey and transparency, three RGB, and four RGB and transparency. Resizing releases the
GIL, and every processor gives the same pixels.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import import_module
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from transforms.errors import ConfigError
from transforms.images.policy import ImagePolicy

Pixels = npt.NDArray[np.uint8]

# The DCT scales down by 2, 4 or 8 if at least this factor remains for the filter.
_GAP: Final = 2

# fast_image_resize's names of pixels, by their channels, and of filters.
_PIXEL_TYPES: Final = {1: "U8", 2: "U8x2", 3: "U8x3", 4: "U8x4"}
_FILTERS: Final = {
    "bilinear": "bilinear",
    "bicubic": "catmull_rom",
    "lanczos": "lanczos3",
}


@dataclass(frozen=True, slots=True)
class Fit:
    """What becomes of an image's size.

    Attributes:
        resized: Width and height that the whole image gets, in pixels.
        size: Width and height of the middle of it, which is what is left.
    """

    resized: tuple[int, int]
    size: tuple[int, int]


def fit_size(width: int, height: int, policy: ImagePolicy) -> Fit:
    """Returns what becomes of an image's size.

    Args:
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        policy: Says how it is resized.
    """
    if policy.policy != "resize":
        return Fit((width, height), (width, height))
    wide, high = policy.exact or (width, height)
    if policy.exact:  # the side that needs the larger factor decides
        wanted, given = max(
            ((wide, width), (high, height)), key=lambda pair: Fraction(*pair)
        )
    elif policy.shortest_side is not None:
        wanted, given = policy.shortest_side, min(width, height)
    else:
        wanted, given = policy.longest_side or 0, max(width, height)
    if wanted >= given and not policy.enlarge:
        wanted = given
    # Integers, rounded half up, so that no floating point decides a size.
    new = [max(1, (2 * n * wanted + given) // (2 * given)) for n in (width, height)]
    if policy.exact:
        return Fit((new[0], new[1]), (min(new[0], wide), min(new[1], high)))
    return Fit((new[0], new[1]), (new[0], new[1]))


def decode_scale(width: int, height: int, fit: Fit) -> int:
    """Returns the scale to decode a JPEG at: 1, 2, 4 or 8 pixels become one."""
    # TurboJPEG is asked for a size, which is ambiguous for very few pixels.
    if min(width, height) < 64:
        return 1
    reduction = min(width / fit.resized[0], height / fit.resized[1])
    return next((scale for scale in (8, 4, 2) if reduction >= _GAP * scale), 1)


def resize_image(
    pixels: Pixels, size: tuple[float, float], fit: Fit, policy: ImagePolicy
) -> Pixels:
    """Returns pixels of the size asked for.

    The filter reaches over as many source pixels as a reduction takes, as Pillow's
    does. It goes along columns first, then along rows, and rounds in between.

    Args:
        pixels: An image.
        size: Its width and height in these pixels, which need not be whole where it
            was decoded at a scale: then the last ones are pixels in part only.
        fit: What becomes of the size.
        policy: Names the filter.

    Raises:
        ConfigError: cykooz-resizer cannot be imported.
    """
    width, height = fit.resized
    if size != fit.resized:
        library = _library()
        kind = getattr(library.PixelType, _PIXEL_TYPES[pixels.shape[2]])
        resized = library.ImageData(width, height, kind)
        # A box that begins elsewhere may make fast_image_resize 6.1 read memory that
        # is not its own, and so may one that leaves out more than a part of a pixel.
        reach = getattr(library.FilterType, _FILTERS[policy.filter])
        options = library.ResizeOptions(
            library.ResizeAlg.convolution(reach),
            crop_box=library.CropBox(0, 0, *size),
        )
        rows, columns, _ = pixels.shape
        source = library.ImageData(columns, rows, kind, pixels.tobytes())
        library.Resizer().resize(source, resized, options)
        found = np.frombuffer(resized.get_buffer(), np.uint8)
        pixels = found.reshape(height, width, pixels.shape[2])
    left, upper = (width - fit.size[0]) // 2, (height - fit.size[1]) // 2
    return pixels[upper : upper + fit.size[1], left : left + fit.size[0]]


def require_resizer(policy: ImagePolicy) -> None:
    """Refuses to resize on a machine that has nothing to do it with.

    Raises:
        ConfigError: The policy resizes, and cykooz-resizer cannot be imported.
    """
    if policy.policy == "resize":
        _library()


def can_resize() -> bool:
    """Returns whether this machine has what ``resize_image`` resizes with."""
    try:
        _library()
    except ConfigError:
        return False
    return True


@cache
def _library() -> Any:
    try:
        return import_module("cykooz_resizer")
    except ImportError as error:
        raise ConfigError(
            "images.policy=resize needs the package cykooz-resizer, which has no wheel "
            f"for every processor and cannot be loaded here ({error}): choose another "
            "policy, or build on another machine."
        ) from error


def turn_image(pixels: Pixels, orientation: int) -> Pixels:
    """Returns an image as EXIF's orientation says that it is to be shown.

    Args:
        pixels: The image as stored.
        orientation: From 1, which changes nothing, to 8.
    """
    if orientation > 4:  # rows become columns
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
