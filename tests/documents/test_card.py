"""The card: its sections, what stands once and what by configuration, and its page."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transforms.documents.card import card_html, card_markdown
from transforms.documents.facts import DatasetFacts, Description, License
from transforms.documents.pages import size_text
from transforms.formats.listing import ConfigFacts, FileFacts, SplitFacts
from transforms.formats.records import Schema

FACTS = DatasetFacts(
    name="imagenet2012_subset",
    config="1pct",
    version="5.0.0",
    about=Description(
        title="ImageNet 2012 subset",
        description="A part of ImageNet\nfor learning from few labels.\n",
        config_description="1pct of total ImageNet training set.",
        homepage="http://image-net.org/",
        license=License("ImageNet terms", "https://image-net.org/download.php"),
        creators=("Ting Chen", "Simon Kornblith"),
        published="2020-02-13",
        manual_download="Get a_b.tar from https://image-net.org/download-images.",
        release_notes={
            "5.1.0": "Added test split.",
            "5.0.0": "New split API (https://tensorflow.org/datasets/splits)",
            "3.0.0": "\n      Fix ~12 images (CMYK -> RGB).\n      Faster.\n      ",
        },
        module="tensorflow_datasets.datasets.imagenet2012_subset",
        default_config="1pct",
    ),
    citation="@article{ILSVRC15,\n  year={2015}\n}\n",
    schema=Schema(("n01440764", "n01443537", "n01484850")),
    download_size=260_323,
    splits=("train", "validation"),
)


def saying(**about: Any) -> DatasetFacts:
    """Returns ``FACTS`` with another description."""
    return replace(FACTS, about=replace(FACTS.about, **about))


def split(name: str, extension: str, *counts: int) -> SplitFacts:
    """Returns a split whose records have 1,000 bytes each and 10 more in a file."""
    files = tuple(
        FileFacts(
            f"{name}-{index:05d}-of-{len(counts):05d}{extension}",
            count * 1010,
            count,
            "",
        )
        for index, count in enumerate(counts)
    )
    return SplitFacts(name, sum(counts), sum(counts) * 1000, files)


ONE = ConfigFacts(
    name="1pct",
    description="1pct of total ImageNet training set.",
    download_size=260_323,
    splits=(split("train", ".parquet", 8, 7), split("validation", ".parquet", 3)),
)
TEN = ConfigFacts(
    name="10pct",
    description="10pct of total ImageNet training set.",
    download_size=2_603_168,
    splits=(
        split("train", ".parquet", 80_000, 70_000, 1_234),
        split("validation", ".parquet", 150_000),
    ),
)
LOADERS = {
    name: ["import datasets", f'datasets.load_dataset("/data", "{name}")']
    for name in ("1pct", "10pct")
}
FIGURES = {"1pct": "1pct/figure.png", "10pct": "10pct/figure.png"}

CARD = """\
# ImageNet 2012 subset

`imagenet2012_subset/1pct`, version `5.0.0`

> **Warning:** this dataset's archives have to be downloaded by hand. See the manual \
download instructions below.

## How to load

```python
import datasets
datasets.load_dataset("/data", "1pct")
```

## Description

A part of ImageNet for learning from few labels.

## Config description

1pct of total ImageNet training set.

## Homepage

<http://image-net.org/>

## Versions

- `5.1.0`: Added test split.
- **`5.0.0`** (this one): New split API (<https://tensorflow.org/datasets/splits>)
- `3.0.0`: Fix \\~12 images (CMYK -> RGB). Faster.

## Download size

`254.22 KiB`

## Dataset size

`17.58 KiB` of records, in files of `17.75 KiB`

## Manual download instructions

Get a_b.tar from <https://image-net.org/download-images>.

## Auto-cached

Only when `shuffle_files=False` (`train`), Yes (`validation`). `tfds.load` keeps a \
dataset of at most 250 MiB in memory once it is read.

## Splits

| Split | Examples | Size | Files |
| --- | --- | --- | --- |
| `train` | 15 | 14.79 KiB | 2 |
| `validation` | 3 | 2.96 KiB | 1 |

## Feature structure

```python
FeaturesDict({
    'file_name': Text(shape=(), dtype=string),
    'image': Image(shape=(None, None, 3), dtype=uint8),
    'label': ClassLabel(shape=(), dtype=int64, num_classes=3),
})
```

## Feature documentation

| Feature | Class | Shape | Dtype | Description |
| --- | --- | --- | --- | --- |
| `file_name` | Text | () | string | Name of the image's file in its archive; unique \
within a split. |
| `image` | Image | (None, None, 3) | uint8 | The encoded image. |
| `label` | ClassLabel | () | int64 | Position of the class's WordNet id in the sorted \
list of ids; -1 for none. |

## Supervised keys

`('image', 'label')`

## Figure

![Some of the images, each with the name and number of its class](<1pct/figure.png>)

## License

[ImageNet terms](<https://image-net.org/download.php>)

## Citation

```bibtex
@article{ILSVRC15,
  year={2015}
}
```
"""


class Page(HTMLParser):
    """Reads a page; an element that is not closed where it should be is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[tuple[list[str], str]] = []  # with all that they stand in
        self.images: list[dict[str, str | None]] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("img", "meta", "br", "hr"), "not closed in itself"
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(([*self.open], data))

    def all_of(self, tag: str) -> list[str]:
        return [text for within, text in self.texts if tag in within]

    def section(self, title: str) -> str:
        """Returns the text from one heading to the next."""
        start = self.texts.index((["html", "body", "main", "h2"], title)) + 1
        behind = takewhile(lambda found: "h2" not in found[0], self.texts[start:])
        return one_line("".join(text for _, text in behind))


def one_line(text: str) -> str:
    return " ".join(text.split())


def headings(markdown: str) -> list[str]:
    return [line for line in markdown.splitlines() if line.startswith("#")]


def test_card_of_one_configuration() -> None:
    assert card_markdown(FACTS, [ONE], LOADERS, FIGURES) == CARD


def test_what_differs_stands_beneath_its_configuration() -> None:
    card = card_markdown(FACTS, [ONE, TEN], LOADERS, {"10pct": "10pct/figure.png"})
    assert headings(card) == [
        "# ImageNet 2012 subset",
        "## Description",
        "## Homepage",
        "## Versions",
        "## Manual download instructions",
        "## Feature structure",
        "## Feature documentation",
        "## Supervised keys",
        "## License",
        "## Citation",
        "## imagenet2012_subset/1pct (default config)",
        "### How to load",
        "### Config description",
        "### Download size",
        "### Dataset size",
        "### Auto-cached",
        "### Splits",
        "## imagenet2012_subset/10pct",
        "### How to load",
        "### Config description",
        "### Download size",
        "### Dataset size",
        "### Auto-cached",
        "### Splits",
        "### Figure",
    ]
    assert "\n\n`imagenet2012_subset`, version `5.0.0`\n\n" in card
    ten = card[card.index("## imagenet2012_subset/10pct") :]
    assert "### Download size\n\n`2.48 MiB`\n" in ten
    assert "| `train` | 151,234 | 145.67 MiB | 3 |\n" in ten
    assert "![Some of the images, each with the name and number" in ten
    assert ten.endswith("](<10pct/figure.png>)\n")
    assert 'datasets.load_dataset("/data", "10pct")\n```\n' in ten


def test_what_is_equal_stands_once() -> None:
    twin = replace(ONE, name="twin")
    card = card_markdown(FACTS, [ONE, twin], {}, {})
    assert card == CARD.replace(
        "`imagenet2012_subset/1pct`", "`imagenet2012_subset`"
    ).replace(CARD[CARD.index("## Figure") : CARD.index("## License")], "").replace(
        CARD[CARD.index("## How") : CARD.index("## Description")], ""
    )


def test_what_nobody_wrote_has_no_section() -> None:
    facts = replace(saying(manual_download="", homepage=""), citation="")
    card = card_markdown(facts, [replace(ONE, description="")], {}, {})
    assert "downloaded by hand" not in card
    assert headings(card) == [
        "# ImageNet 2012 subset",
        "## Description",
        "## Versions",
        "## Download size",
        "## Dataset size",
        "## Auto-cached",
        "## Splits",
        "## Feature structure",
        "## Feature documentation",
        "## Supervised keys",
        "## License",
    ]


def test_a_large_dataset_is_not_cached() -> None:
    card = card_markdown(FACTS, [TEN], {}, {})
    assert "## Auto-cached\n\nNo (`train`, `validation`). `tfds.load`" in card


@pytest.mark.parametrize(
    ("records", "answer"),
    [
        (250 << 20, "Yes"),
        ((250 << 20) + 1, "No"),
        (0, "No"),
    ],
)
def test_two_hundred_and_fifty_mebibytes_are_cached(records: int, answer: str) -> None:
    only = SplitFacts("train", 1, records, (FileFacts("train", records, 1, ""),))
    card = card_markdown(FACTS, [replace(ONE, splits=(only,))], {}, {})
    assert f"## Auto-cached\n\n{answer} (`train`). " in card


def test_a_version_without_a_note_is_listed() -> None:
    card = card_markdown(saying(release_notes={}), [ONE], {}, {})
    assert "## Versions\n\n- **`5.0.0`** (this one)\n\n## Download" in card


def test_columns_with_dimensions_are_documented() -> None:
    schema = replace(FACTS.schema, dimensions=True)
    facts = replace(FACTS, schema=schema)
    card = card_markdown(facts, [ONE], {}, {}, for_hub=True)
    assert "\n| `width` | Width of the stored image in" in card
    # TFDS's records have none.
    assert "width" not in card_markdown(facts, [ONE], {}, {})


def test_what_stands_between_backticks_is_code() -> None:
    text = "Put `a_b.tar` and `<c> *&` (`--dir`) at `https://d/e`; ``f`` ` g ` `h|i`"
    facts = saying(manual_download=text)
    card = card_markdown(facts, [ONE], {}, {})
    assert (
        "\n\nPut `a_b.tar` and `<c> *&` (`--dir`) at `https://d/e`; "
        "\\`\\`f\\`\\` \\` g \\` \\`h\\|i\\`\n\n"
    ) in card
    page = Page(card_html(facts, [ONE], {}, {}))
    code = [code for code in page.all_of("code") if code in text]
    assert code == ["a_b.tar", "<c> *&", "--dir", "https://d/e"]
    assert page.section("Manual download instructions") == (
        "Put a_b.tar and <c> *& (--dir) at https://d/e; ``f`` ` g ` `h|i`"
    )


def test_code_with_backticks_stays_in_its_block() -> None:
    facts = replace(FACTS, citation="```\n# no heading\n````")
    card = card_markdown(facts, [ONE], {}, {})
    assert card.endswith("`````bibtex\n```\n# no heading\n````\n`````\n")
    page = Page(card_html(facts, [ONE], {}, {}))
    assert page.section("Citation") == "``` # no heading ````"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.00 KiB"),
        (260_323, "254.22 KiB"),
        ((1 << 20) - 1, "1024.00 KiB"),
        (2_603_168, "2.48 MiB"),
        (147_897_477_120, "137.74 GiB"),
        (3 << 40, "3.00 TiB"),
        (5 << 50, "5.00 PiB"),
    ],
)
def test_sizes_read_as_in_tfds(size: int, text: str) -> None:
    assert size_text(size) == text


def test_page_shows_the_card() -> None:
    figure = {"1pct": "data:image/png;base64,iVBORw0KGgo="}
    html = card_html(FACTS, [ONE], LOADERS, figure)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">\n')
    assert 'name="viewport" content="width=device-width' in html
    assert "prefers-color-scheme: dark" in html
    page = Page(html)
    assert page.all_of("title") == page.all_of("h1") == ["ImageNet 2012 subset"]
    assert '. <a href="report.html">The report</a> shows what is in it.' in html
    assert page.all_of("h2") == [head[3:] for head in headings(CARD)[1:]]
    assert page.section("Splits") == (
        "Split Examples Size Files train 15 14.79 KiB 2 validation 3 2.96 KiB 1"
    )
    assert page.images == [
        {
            "src": "data:image/png;base64,iVBORw0KGgo=",
            "alt": "Some of the images, each with the name and number of its class",
        }
    ]
    assert 'href="https://tensorflow.org/datasets/splits"' in html
    assert 'href="https://image-net.org/download.php"' in html


def test_head_describes_the_dataset_in_the_terms_of_schema_org() -> None:
    (script,) = Page(card_html(FACTS, [ONE], {}, {})).all_of("script")
    assert json.loads(script) == {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": "imagenet2012_subset",
        "description": "A part of ImageNet for learning from few labels.",
        "url": "http://image-net.org/",
        "version": "5.0.0",
        "license": "https://image-net.org/download.php",
        "creator": [
            {"@type": "Person", "name": "Ting Chen"},
            {"@type": "Person", "name": "Simon Kornblith"},
        ],
        "keywords": ["imagenet2012_subset", "images", "image classification"],
        "datePublished": "2020-02-13",
        "citation": "@article{ILSVRC15,\n  year={2015}\n}\n",
    }


def test_no_text_ends_the_script_that_holds_it() -> None:
    bad = "</script><script>alert(1)</script><!-- & é"
    facts = replace(saying(description=bad, title=bad), citation=bad)
    page = Page(card_html(facts, [ONE], {}, {}))
    (script,) = page.all_of("script")
    assert json.loads(script)["description"] == bad
    assert page.section("Description") == page.section("Citation") == bad
    assert "".join(page.all_of("title")) == "".join(page.all_of("h1")) == bad


words = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="`")
    | st.sampled_from(" \n")
)
marks = st.lists(
    st.sampled_from(["# ", "- ", "1. ", "2) ", "> ", "+ ", "* ", "``", "---", "==="])
    | st.sampled_from(["<b>", "&amp;", "[a](b)", "![a](b)", "[a]: b", "|", "||", "_"])
    | st.sampled_from(["**", "__", "~~", "$", "\\", "\n", "\n\n", " ", "a", "1"])
    | st.sampled_from(["<https://a.b>", "https://a.b/c_d_e", "(http://a|b)", "    "])
).map("".join)


@given(text=words | marks)
@example("A <b>bold</b> & odd *text* | with pipe_and_under_ score.")
@example("1. first\n2. second\n\n- third\n\n# no heading #")
def test_plain_texts_show_as_they_are(text: str) -> None:
    facts = saying(
        title=f"T {text}",
        description=f"{text}\n\nend",
        manual_download=f"{text} end",
        release_notes={"5.0.0": f"{text} end"},
    )
    page = Page(card_html(facts, [ONE], {}, {}))
    for tag in ("title", "h1"):
        assert one_line("".join(page.all_of(tag))) == one_line(f"T {text}")
    assert page.section("Description") == one_line(f"{text} end")
    assert page.section("Manual download instructions") == one_line(f"{text} end")
    assert page.section("Versions") == one_line(f"5.0.0 (this one): {text} end")


def test_a_licence_says_what_one_may_do() -> None:
    license_ = License("ours", "https://a.b/", "Look, do not touch.")
    card = card_markdown(saying(license=license_), [ONE], {}, {})
    assert "## License\n\n[ours](<https://a.b/>)\n\nLook, do not touch.\n" in card


def test_the_card_of_the_hub_is_in_the_hubs_words() -> None:
    titles = {FACTS.schema.class_names[0]: "tench"}
    facts = replace(FACTS, class_titles=titles)
    card = card_markdown(facts, [ONE], LOADERS, {}, for_hub=True)
    assert headings(card)[1:] == [
        "## How to load",
        "## Description",
        "## Config description",
        "## Homepage",
        "## Versions",
        "## Dataset size",
        "## Splits",
        "## Statistics",
        "## Columns",
        "## License",
        "## Citation",
        "## Classes",
    ]
    for word in ("FeaturesDict", "cached", "Supervised", "tfds.", "by hand"):
        assert word not in card
    first, second, _ = FACTS.schema.class_names
    assert f"\n- `0` tench ({first})\n- `1` {second} (1)\n" in card
    assert "[1pct/report.html](<1pct/report.html>)" in card
    assert "turn on access requests in its settings" in card
