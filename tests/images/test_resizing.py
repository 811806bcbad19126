"""How sizes are found, and that resizing is the same wherever it is done.

That the pixels are right is tested with the codecs, against Pillow's.
"""

from typing import Any

import cykooz_resizer
import numpy as np
import pytest
from cykooz_resizer import CpuExtensions, Resizer

from transforms.errors import ConfigError
from transforms.images import resizing
from transforms.images.policy import ImagePolicy
from transforms.images.resizing import Fit


@pytest.mark.parametrize(
    ("width", "height", "exact", "enlarge", "fit"),
    [
        (500, 375, (224, 224), False, Fit((299, 224), (224, 224))),
        (375, 500, (224, 224), False, Fit((224, 299), (224, 224))),
        (500, 375, (500, 375), False, Fit((500, 375), (500, 375))),
        # Too low, and not to be enlarged: what sticks out is cut off all the same.
        (500, 100, (224, 224), False, Fit((500, 100), (224, 100))),
        (500, 100, (224, 224), True, Fit((1120, 224), (224, 224))),
        (20_000, 9, (40, 3), False, Fit((6667, 3), (40, 3))),
        (1, 1, (3, 2), True, Fit((3, 3), (3, 2))),
    ],
)
def test_an_exact_size_is_cut_out_of_what_covers_it(
    width: int, height: int, exact: tuple[int, int], enlarge: bool, fit: Fit
) -> None:
    policy = ImagePolicy(policy="resize", exact=exact, enlarge=enlarge)
    assert resizing.fit_size(width, height, policy) == fit


@pytest.mark.parametrize(
    ("side", "scale"),
    [(201, 1), (200, 2), (101, 2), (100, 4), (51, 4), (50, 8), (1, 8)],
)
def test_the_filter_is_left_a_reduction_by_two(side: int, scale: int) -> None:
    policy = ImagePolicy(policy="resize", shortest_side=side)
    fit = resizing.fit_size(800, 1200, policy)
    assert resizing.decode_scale(800, 1200, fit) == scale


@pytest.mark.parametrize("extensions", ["none", "sse4_1", "avx2"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["bilinear", "bicubic", "lanczos"])
def test_every_processor_resizes_to_the_same_pixels(
    name: Any, channels: int, extensions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = ImagePolicy(policy="resize", exact=(93, 41), filter=name)
    fit = resizing.fit_size(301, 187, policy)
    pixels = np.random.default_rng(0).integers(
        0, 256, (187, 301, channels), dtype=np.uint8
    )
    usual = resizing.resize_image(pixels, (301, 187), fit, policy)

    def limited() -> Resizer:
        resizer = Resizer()
        resizer.cpu_extensions = CpuExtensions[extensions]
        return resizer

    monkeypatch.setattr(cykooz_resizer, "Resizer", limited)
    assert np.array_equal(resizing.resize_image(pixels, (301, 187), fit, policy), usual)


@pytest.mark.usefixtures("no_resizer")
def test_without_a_resizer_resizing_is_refused_and_nothing_else() -> None:
    resizing.require_resizer(ImagePolicy(policy="reencode"))
    with pytest.raises(ConfigError) as refusal:
        resizing.require_resizer(ImagePolicy(policy="resize", shortest_side=9))
    assert str(refusal.value) == (
        "images.policy=resize needs the package cykooz-resizer, which has no wheel for "
        "every processor and cannot be loaded here (import of cykooz_resizer halted; "
        "None in sys.modules): choose another policy, or build on another machine."
    )
    pixels = np.zeros((4, 6, 3), np.uint8)
    same = ImagePolicy(policy="reencode")
    fit = resizing.fit_size(6, 4, same)
    assert resizing.resize_image(pixels, (6, 4), fit, same) is not None
