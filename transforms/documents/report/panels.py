"""Shows a split's part of ``statistics.json`` as plots, tables and key numbers.

``docs/statistics.md`` says what each number is. Every plot has its numbers in a table
beneath it; what is counted by name is a table from the start, with a bar in each row.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from transforms.documents.facts import class_text
from transforms.documents.pages import size_text
from transforms.documents.report.page import Section, table, terms
from transforms.documents.report.plots import Plot, draw_plot, number_text, spread_plot
from transforms.statistics import COUNTED, QUANTITIES

# The first tables of what is counted by name; the others follow.
_FIRST: Final = ("encodings", "modes", "subsamplings", "progressive")

# How an image lies as it is stored (EXIF 2.32, 4.6.4 A).
_ORIENTATIONS: Final = {
    "1": "1, upright",
    "2": "2, mirrored",
    "3": "3, upside down",
    "4": "4, upside down and mirrored",
    "5": "5, on its side and mirrored",
    "6": "6, on its left side",
    "7": "7, on its side and mirrored",
    "8": "8, on its right side",
}


def key_numbers(statistics: Mapping[str, Any], rejected: int) -> str:
    """Returns a split's most important numbers as HTML.

    Args:
        statistics: The split's part of the document.
        rejected: How many images were rejected.
    """
    examples, size = statistics["examples"], statistics["image_bytes"]
    numbers = {"Images": f"{examples:,}", "Size of images": size_text(size)}
    if examples:
        numbers["Mean size"] = size_text(round(size / examples))
    if statistics["width"]["count"]:
        width, height = (statistics[name]["mean"] for name in ("width", "height"))
        numbers["Mean width x height"] = (
            f"{width:,.0f} x {height:,.0f}<small>pixels</small>"
        )
    numbers["Repaired"] = f"{sum(statistics['repaired'].values()):,}"
    numbers["Rejected"] = f"{rejected:,}"
    return terms("key", numbers)


def panels(
    statistics: Mapping[str, Any], shown_classes: Sequence[str], name: str
) -> tuple[Section, ...]:
    """Returns the sections that show all there is in a split's statistics.

    Args:
        statistics: The split's part of the document.
        shown_classes: What class ``i`` is called, at position ``i``.
        name: What ids begin with; unique in the page.
    """
    spreads = [
        _spread(statistics[key], item.title, item.unit, f"{name}-{key}")
        for key, item in QUANTITIES.items()
    ]
    titles = {key: COUNTED[key] for key in dict.fromkeys((*_FIRST, *COUNTED))}
    del titles["qualities"]  # which has a plot
    counted = [
        _count(statistics[key], key, statistics["examples"])
        for key in titles
        if statistics[key]
    ]
    without = [title for key, title in titles.items() if not statistics[key]]
    nothing = f"<p>Of no image: {', '.join(without)}.</p>\n" if without else ""
    quality = _qualities(statistics["qualities"], f"{name}-quality")
    sections = [
        Section(
            "Labels", _labels(statistics["labels"], shown_classes, f"{name}-labels")
        ),
        Section("Sizes", _grid(spreads)),
        Section("Encoding", _grid([quality, *counted]) + nothing),
    ]
    if statistics["pixels"] is not None:
        sections.append(Section("Pixels", _pixels(statistics["pixels"])))
    return tuple(sections)


def _labels(labels: Mapping[str, int], shown_classes: Sequence[str], name: str) -> str:
    known = _known(labels)
    if not known:
        return f"<p>{'No image has a label.' if labels else 'There is no image.'}</p>\n"
    classes = max(len(shown_classes), *(label + 1 for label in known))
    counts = sorted(known.values())
    median = counts[(len(counts) - 1) // 2]
    numbers = {"Classes with images": f"{len(known):,} of {classes:,}"}
    for word, count in (
        ("Fewest in a class", counts[0]),
        ("Median of classes", median),
        ("Most in a class", counts[-1]),
    ):
        first, *others = sorted(label for label in known if known[label] == count)
        more = f" and {len(others):,} more" if others else ""
        shown = escape(class_text(first, shown_classes) + more)
        numbers[word] = f"{count:,}<small>{shown}</small>"
    if unlabelled := sum(labels.values()) - sum(counts):
        numbers["Images without label"] = f"{unlabelled:,}"
    bins = [(label, label + 1, count) for label, count in sorted(known.items())]
    title = "Number of images by class"
    description = (
        f"A bar for each of the {len(known):,} classes with images, on an axis from 0 "
        f"to {classes:,}. The lowest stands for {counts[0]:,} images, the highest for "
        f"{counts[-1]:,}."
    )
    plot = Plot(title, description, bins, 0, classes, False, level=median)
    rows = [
        (f"{label}", escape(class_text(label, shown_classes)), f"{count:,}")
        for label, _, count in bins
    ]
    heads = ("Label", "Class", "Images")
    numbers_table = table(title, heads, rows, scrolls=True)
    return (
        f'{terms("key", numbers)}<figure class="wide">\n{draw_plot(plot, name)}\n'
        "<figcaption>Images by number of the class; the dashed line is the median of "
        "classes with images.</figcaption>\n"
        f"{_details(numbers_table, title)}</figure>\n"
    )


def _spread(histogram: Mapping[str, Any], title: str, unit: str, name: str) -> str:
    if not histogram["count"]:
        return _card(title, "<p>Not known of any image.</p>\n")
    low, high, mean = (
        number_text(histogram[key]) for key in ("minimum", "maximum", "mean")
    )
    text = f"From {low} to {high} {unit}, {mean} on average (dashed line)."
    if histogram["minimum"] == histogram["maximum"]:
        text = f"Always {mean} {unit} (dashed line)."
    text += " The axis is logarithmic."
    bins = histogram["bins"]
    plot = spread_plot(
        f"{title}, {unit}",
        f"A histogram of {histogram['count']:,} images. {text}",
        bins,
        histogram["mean"],
    )
    rows = [
        (number_text(lower, 6), number_text(upper, 6), f"{number:,}")
        for lower, upper, number in bins
    ]
    heads = ("From", "To below", "Images")
    numbers = _details(table(f"{title}, {unit}", heads, rows, scrolls=True), title)
    return _card(title, f"<p>{text}</p>\n{draw_plot(plot, name)}\n{numbers}")


def _qualities(counts: Mapping[str, int], name: str) -> str:
    title = "JPEG quality"
    known = {int(key): count for key, count in counts.items() if key != "none"}
    if not known:
        return _card(title, "<p>Not known of any image.</p>\n")
    mean = sum(key * count for key, count in known.items()) / sum(known.values())
    text = (
        f"From {min(known)} to {max(known)} on libjpeg's scale, {number_text(mean)} on "
        "average (dashed line)."
        if len(known) > 1
        else f"Always {min(known)} on libjpeg's scale (dashed line)."
    )
    if "none" in counts:
        text += f" {counts['none']:,} images have none."
    bins = [(key - 0.5, key + 0.5, count) for key, count in sorted(known.items())]
    plot = Plot(
        title,
        f"A histogram of {sum(known.values()):,} images. {text}",
        bins,
        *(0.5, 100.5),
        logarithmic=False,
        mark=mean,
    )
    rows = [(f"{key}", f"{count:,}") for key, count in sorted(known.items())]
    numbers = _details(table(title, ("Quality", "Images"), rows, scrolls=True), title)
    return _card(title, f"<p>{escape(text)}</p>\n{draw_plot(plot, name)}\n{numbers}")


def _count(counts: Mapping[str, int], key: str, examples: int) -> str:
    title = COUNTED[key]
    words = _ORIENTATIONS if key == "orientations" else {}
    rows = [
        (
            f"{escape(words.get(key, key.replace('_', ' ')))}"
            f'<span class="share" style="width:{100 * count / examples:.1f}%"></span>',
            f"{count:,}",
            f"{100 * count / examples:.1f} %",
        )
        for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return _card(title, table(title, ("Value", "Images", "Share"), rows))


def _pixels(pixels: Mapping[str, Any]) -> str:
    rows = [
        (channel, f"{mean:.4f}", f"{deviation:.4f}")
        for channel, mean, deviation in zip(
            ("Red", "Green", "Blue"),
            pixels["mean"],
            pixels["standard_deviation"],
            strict=True,
        )
    ]
    heads = ("Channel", "Mean", "Standard deviation")
    return (
        f"<p>Of {pixels['count']:,} pixels of {pixels['images']:,} images, on a scale "
        "from 0 to 1. JPEGs were decoded at an eighth of their size, which makes the "
        "standard deviations some 6 % too low.</p>\n"
        + table("Mean and standard deviation by channel", heads, rows, scrolls=True)
    )


def _known(labels: Mapping[str, int]) -> dict[int, int]:
    """Returns the number of images by label, those without one left out."""
    return {int(key): count for key, count in labels.items() if int(key) >= 0}


def _card(title: str, body: str) -> str:
    return f'<div class="card">\n<h4>{escape(title)}</h4>\n{body}</div>\n'


def _grid(cards: Sequence[str]) -> str:
    return f'<div class="grid">\n{"".join(cards)}</div>\n'


def _details(body: str, title: str) -> str:
    return (
        f'<details>\n<summary>Numbers<span class="hidden">: {escape(title)}</span>'
        f"</summary>\n{body}</details>\n"
    )
