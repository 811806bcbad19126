"""The plots: their axes, their shapes, and how numbers are written."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from transforms.documents.report.plots import (
    Plot,
    draw_plot,
    number_text,
    spread_plot,
    ticks,
)


def axis(low: float, high: float, logarithmic: bool) -> Plot:
    return Plot("", "", [], low, high, logarithmic)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "1"),
        (7.0, "7"),
        (1.5, "1.5"),
        (4.7149, "4.71"),
        (0.0625, "0.0625"),
        (0.000001, "0.000001"),
        (0.00123456, "0.00123"),
        (10.04, "10"),
        (99.96, "100"),
        (99.94, "99.9"),
        (100.4, "100"),
        (473.24, "473"),
        (1281167, "1,281,167"),
    ],
)
def test_numbers_have_three_digits_or_more(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (60, 1792, [100, 200, 500, 1000]),
        (2, 448, [3, 10, 30, 100, 300]),  # seven at 1, 2 and 5
        (0.002, 2.6, [0.003, 0.01, 0.03, 0.1, 0.3, 1]),
        (0.001, 7, [0.001, 0.01, 0.1, 1]),
        (1e-6, 400, [1e-6, 1e-4, 0.01, 1, 100]),
        (1e-6, 0.36, [1e-6, 1e-4, 0.01]),  # six powers of ten have no room
        (1001, 300_300, [10_000, 100_000]),
        (1, 10, [2, 4, 6, 8, 10]),
        (0.625, 2.5, [1, 1.5, 2, 2.5]),  # but two at 1, 2 and 5
        (181, 362, [200, 250, 300, 350]),
        (1, 2, [1, 1.2, 1.4, 1.6, 1.8, 2]),
    ],
)
def test_ticks_on_a_logarithmic_axis_are_round(
    low: float, high: float, found: list[float]
) -> None:
    assert ticks(axis(low, high, True)) == found


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 1000, [0, 200, 400, 600, 800, 1000]),
        (0.5, 100.5, [20, 40, 60, 80, 100]),
        (0, 3, [0, 1, 2, 3]),
        (0, 1, [0, 1]),  # no class has number 0.2
    ],
)
def test_ticks_on_a_linear_axis_are_whole(
    low: float, high: float, found: list[float]
) -> None:
    assert ticks(axis(low, high, False)) == found


@given(st.floats(1e-6, 1e4), st.floats(2, 1e9))
@example(2.0, 224.0)
@example(1001.0, 300.0)
@example(5600.0, 2.5)
def test_ticks_have_room_and_places(low: float, factor: float) -> None:
    assume(low * factor <= 1e7)
    plot = axis(low, low * factor, True)
    found = ticks(plot)
    assert 2 <= len(found) <= 6
    assert all(plot.low <= tick <= plot.high for tick in found)
    # On a phone an axis has 260 pixels, and a digit 7.
    places = [260 * plot.place(tick) for tick in found]
    widths = [7 * len(number_text(tick)) for tick in found]
    ends = zip(places, widths, strict=True)
    edges = [(place - width / 2, place + width / 2) for place, width in ends]
    assert all(left[1] + 6 < right[0] for left, right in pairwise(edges))


def test_places_go_by_the_axis() -> None:
    linear, logarithmic = axis(0, 1000, False), axis(1, 10_000, True)
    assert [linear.place(value) for value in (0, 250, 1000)] == [0, 0.25, 1]
    assert [logarithmic.place(value) for value in (1, 10, 10_000)] == [0, 0.25, 1]
    assert [linear.place(value) for value in (-1, 1001)] == [0, 1]


def test_an_axis_is_as_long_as_its_bins() -> None:
    plot = spread_plot("Width", "Wide.", [[64, 72, 3], [256, 288, 1]], 112.5)
    bins = [(64, 72, 3), (256, 288, 1)]
    assert plot == Plot("Width", "Wide.", bins, 64, 288, True, 112.5, None)


def test_an_axis_goes_to_the_double_at_least() -> None:
    plot = spread_plot("Width", "Wide.", [[256, 288, 9]], 270)
    assert plot.high / plot.low == pytest.approx(2)
    assert plot.place(256) == pytest.approx(1 - plot.place(288))


def test_a_bin_from_zero_has_a_place() -> None:
    part = 2**-16
    plot = spread_plot("Bits", "", [[0, part, 1], [1, 1.125, 2]], 0.5)
    assert plot.bins == [(part / 2, part, 1), (1, 1.125, 2)]
    assert plot.low == part / 2


PLOT = Plot(
    "Images <by> class",
    'Of "three" & more.',
    [(0, 1, 4), (1, 2, 2), (3, 4, 1)],
    0,
    4,
    False,
    mark=1,
    level=2,
)
DRAWN = (
    '<svg class="plot" role="img" aria-labelledby="p-title" aria-describedby="p-desc" '
    'width="100%" height="132"><title id="p-title">Images &lt;by&gt; class</title>'
    '<desc id="p-desc">Of &quot;three&quot; &amp; more.</desc>'
    '<g aria-hidden="true">'
    '<svg x="4%" y="18" width="92%" height="88" viewBox="0 0 1000 100" '
    'preserveAspectRatio="none"><path class="bars" '
    'd="M0 100V0H250V50H500V100M750 100V75H1000V100"/></svg>'
    '<line class="axis" x1="4%" y1="106" x2="96%" y2="106"/>'
    '<line class="axis" x1="4%" y1="106" x2="4%" y2="110"/>'
    '<text x="4%" y="124" text-anchor="middle">0</text>'
    '<line class="axis" x1="27%" y1="106" x2="27%" y2="110"/>'
    '<text x="27%" y="124" text-anchor="middle">1</text>'
    '<line class="axis" x1="50%" y1="106" x2="50%" y2="110"/>'
    '<text x="50%" y="124" text-anchor="middle">2</text>'
    '<line class="axis" x1="73%" y1="106" x2="73%" y2="110"/>'
    '<text x="73%" y="124" text-anchor="middle">3</text>'
    '<line class="axis" x1="96%" y1="106" x2="96%" y2="110"/>'
    '<text x="96%" y="124" text-anchor="middle">4</text>'
    '<line class="halo" x1="27%" y1="14" x2="27%" y2="106"/>'
    '<line class="mark" x1="27%" y1="14" x2="27%" y2="106"/>'
    '<line class="halo" x1="4%" y1="62" x2="96%" y2="62"/>'
    '<line class="mark" x1="4%" y1="62" x2="96%" y2="62"/>'
    '<text x="4%" y="10" text-anchor="start">4 images</text></g></svg>'
)


def test_a_plot_is_drawn() -> None:
    assert draw_plot(PLOT, "p") == DRAWN


def test_areas_go_by_number_on_a_logarithmic_axis() -> None:
    bins = [[8, 9, 4], [9, 10, 5], [15, 16, 2], [16, 18, 6]]
    plot = spread_plot("", "", bins, 10)
    path = re.search(r' d="([^"]*)"', draw_plot(plot, "p"))
    assert path is not None
    steps = re.findall(r"(?:M([\d.]+) 100)?V([\d.]+)H([\d.]+)", path[1])
    areas, left = [], 0.0
    for start, top, right in steps:
        left = float(start or left)
        areas.append((float(right) - left) * (100 - float(top)))
        left = float(right)
    assert [area / sum(areas) for area in areas] == pytest.approx(
        [number / 17 for _, _, number in bins], rel=1e-3
    )
    assert [left, steps[0][0]] == [1000, "0"]
    assert float(steps[1][2]) == pytest.approx(
        1000 * math.log(10 / 8) / math.log(18 / 8), abs=0.01
    )


def test_nothing_is_drawn_without_bins() -> None:
    drawn = draw_plot(Plot("", "", [], 0, 10, False), "p")
    assert '<path class="bars" d=""/>' in drawn
