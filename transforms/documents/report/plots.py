"""Draws histograms as SVG that fits any width and takes its colours from the page.

Shapes stand in a picture of their own that is stretched to the width there is; texts
and lines around it keep their size. The page's style sheet gives ``bars``, ``axis``,
``mark`` and ``halo`` their colours.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

HEIGHT: Final = 132  # of a plot, in CSS pixels

_TOP: Final = 18  # room for the number above the bars
_BARS: Final = 88  # height of the highest bar, both in CSS pixels
_INSET: Final = 4  # left and right of the bars, in per cent: labels are centred
_MOST_TICKS: Final = 6
_NARROWEST: Final = 260  # length of an axis on a phone
_DIGIT: Final = 7  # width of a digit, both in CSS pixels

# Round numbers on a logarithmic axis: by what each power of ten is multiplied, and
# every which power it is.
_ROUND: Final = (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3))


@dataclass(frozen=True, slots=True)
class Plot:
    """A histogram as it is drawn.

    On a logarithmic axis bins differ in width, so areas are drawn that go by the number
    of images, and heights are densities. On a linear one, all bins being equal, heights
    go by the number of images.

    Attributes:
        title: Its name for those who cannot see it.
        description: What it shows, likewise.
        bins: Lower end, upper end and number of images, in ascending order.
        low: Where the axis begins.
        high: Where the axis ends.
        logarithmic: Whether the axis is, and ``low`` above 0; else bins are 1 wide.
        mark: A value where an upright dashed line stands.
        level: A number of images where a level dashed line stands.
    """

    title: str
    description: str
    bins: Sequence[tuple[float, float, int]]
    low: float
    high: float
    logarithmic: bool
    mark: float | None = None
    level: float | None = None

    def place(self, value: float) -> float:
        """Returns where a value is on the axis, from 0 to 1."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def spread_plot(
    title: str, description: str, bins: Sequence[Sequence[float]], mark: float
) -> Plot:
    """Returns a plot with a logarithmic axis that is as long as its bins need.

    The axis goes from one number to its double at least, so that equal images make a
    bar and not a block.

    Args:
        title: Its name.
        description: What it shows.
        bins: ``[lower, upper, number]``, one at least.
        mark: Where the dashed line stands.
    """
    # A bin that begins at 0 has no place on such an axis; half its end will do.
    placed = [(low or high / 2, high, int(number)) for low, high, number in bins]
    low, high = placed[0][0], placed[-1][1]
    if (factor := math.sqrt(2 * low / high)) > 1:
        low, high = low / factor, high * factor
    return Plot(title, description, placed, low, high, True, mark)


def draw_plot(plot: Plot, name: str) -> str:
    """Returns a plot as an SVG element for a page of HTML.

    Args:
        plot: What to draw.
        name: What its ids begin with; unique in the page.
    """
    heights = _heights(plot)
    highest = max(heights, default=1)
    bottom = _TOP + _BARS
    parts = [
        f'<svg class="plot" role="img" aria-labelledby="{name}-title" '
        f'aria-describedby="{name}-desc" width="100%" height="{HEIGHT}">',
        f'<title id="{name}-title">{html.escape(plot.title)}</title>',
        f'<desc id="{name}-desc">{html.escape(plot.description)}</desc>',
        # Chromium would read out every number on the axis.
        '<g aria-hidden="true">',
        f'<svg x="{_INSET}%" y="{_TOP}" width="{100 - 2 * _INSET}%" height="{_BARS}" '
        'viewBox="0 0 1000 100" preserveAspectRatio="none">'
        f'<path class="bars" d="{_outline(plot, heights, highest)}"/></svg>',
        _line("axis", 0, bottom, 1, bottom),
    ]
    for tick in ticks(plot):
        at = plot.place(tick)
        parts.append(_line("axis", at, bottom, at, bottom + 4))
        parts.append(_text(at, HEIGHT - 8, number_text(tick)))
    if plot.mark is not None:
        at = plot.place(plot.mark)
        parts += _mark(at, _TOP - 4, at, bottom)
    if plot.level is not None:
        y = bottom - _BARS * plot.level / highest
        parts += _mark(0, y, 1, y)
    fullest = max(zip(heights, plot.bins, strict=True), default=(0.0, (0.0, 0.0, 0)))
    what = "images in the highest bar" if plot.logarithmic else "images"
    parts.append(_text(0, _TOP - 8, f"{fullest[1][2]:,} {what}", "start"))
    return "".join([*parts, "</g></svg>"])


def ticks(plot: Plot) -> list[float]:
    """Returns up to six round numbers on a plot's axis whose labels have room.

    On a linear axis, and mostly on a short one, they stand at equal distances. Else
    they are 1, 2 and 5 or 1 and 3 times a power of ten, or powers of ten alone,
    whichever gives the most.
    """
    choices = _round_numbers(plot) if plot.logarithmic else []
    choices += [_equal_steps(plot, most) for most in range(_MOST_TICKS, 1, -1)]
    # One number is no scale: where labels are wide, every other one may have room.
    halved = [found[start::2] for found in choices for start in (0, 1)]
    best: list[float] = []
    for each in (choices, halved):
        if len(best) < 2:
            fitting = (found for found in each if _have_room(plot, found))
            best = max((best, *fitting), key=len)
    return best


def number_text(value: float, digits: int = 3) -> str:
    """Returns a number rounded to so many digits, but never to less than a whole one.

    There is no exponent: ``1,281,167``, ``473``, ``4.71``, ``0.0625`` and ``0``.
    """
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").removesuffix(".") if decimals else text


def _round_numbers(plot: Plot) -> list[list[float]]:
    first = math.floor(math.log10(plot.low))
    last = math.ceil(math.log10(plot.high))
    choices = []
    for factors, stride in _ROUND:
        powers = range(first - first % stride, last + 1, stride)
        found = [round(f * 10.0**n, 12) for n in powers for f in factors]
        choices.append([value for value in found if plot.low <= value <= plot.high])
    return choices


def _equal_steps(plot: Plot, most: int) -> list[float]:
    step = _round_up((plot.high - plot.low) / (most - 1))
    if not plot.logarithmic:
        step = max(step, 1)
    numbers = range(math.ceil(plot.low / step), math.floor(plot.high / step) + 1)
    return [round(number * step, 12) for number in numbers]


def _have_room(plot: Plot, found: Sequence[float]) -> bool:
    """Returns whether labels stand side by side on a phone."""
    places = [_NARROWEST * plot.place(tick) for tick in found]
    halves = [_DIGIT * (len(number_text(tick)) + 1) / 2 for tick in found]
    return len(found) <= _MOST_TICKS and all(
        right - left >= one + other
        for (left, right), (one, other) in zip(
            pairwise(places), pairwise(halves), strict=True
        )
    )


def _heights(plot: Plot) -> list[float]:
    if not plot.logarithmic:
        return [float(number) for _, _, number in plot.bins]
    return [number / math.log(high / low) for low, high, number in plot.bins]


def _outline(plot: Plot, heights: Sequence[float], highest: float) -> str:
    """Returns an SVG path around all bars, in thousandths and hundredths."""
    path, end = "", None
    for (low, high, _), height in zip(plot.bins, heights, strict=True):
        if low != end:
            path += "V100" if path else ""
            path += f"M{_short(1000 * plot.place(low))} 100"
        path += f"V{_short(100 - 100 * height / highest)}"
        path += f"H{_short(1000 * plot.place(high))}"
        end = high
    return f"{path}V100" if path else ""


def _mark(x1: float, y1: float, x2: float, y2: float) -> list[str]:
    """Returns a dashed line, and before it what sets it off from bars."""
    return [_line(kind, x1, y1, x2, y2) for kind in ("halo", "mark")]


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line class="{kind}" x1="{_across(x1)}" y1="{_short(y1)}" '
        f'x2="{_across(x2)}" y2="{_short(y2)}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{_across(x)}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _across(place: float) -> str:
    return f"{_short(_INSET + (100 - 2 * _INSET) * place)}%"


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _round_up(step: float) -> float:
    """Returns the next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(f * power for f in (1, 2, 5, 10) if f * power >= step * (1 - 1e-9))
