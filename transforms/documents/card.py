"""The card: one text on a dataset for people, in Markdown and as a page of HTML.

It begins with how to load the dataset; then come the sections of TFDS's catalogue, or,
on the hub, what is not TFDS's own of them. What is the same for every configuration
stands once, at the top; what differs stands beneath each one's heading.
The facts' texts are plain texts: they show as they are written, special characters
included, but web addresses become links, and what stands `between backticks` code.
"""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from transforms.documents.facts import DatasetFacts, License
from transforms.documents.pages import REPORT, size_text
from transforms.formats import KINDS, ConfigFacts, Schema, full_name, shape_text

# TFDS keeps a dataset up to this size in memory once it is read
# (``core/dataset_builder.py``), in bytes.
_AUTOCACHE_LIMIT: Final = 250 << 20

_LINK_OR_CODE: Final = re.compile(
    r"(https?://[^\s<>|]*[^\s<>|.,;:!?'\")]|(?<!`)`(?! )[^`|\n]+(?<! )`(?!`))"
)
# Underscores within words, as file names have them, mean nothing to Markdown.
_SPECIAL: Final = re.compile(r"[\\`*\[\]<&|~$#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_BLOCK_START: Final = re.compile(r"^(\d*)([+\-.)>])", re.MULTILINE)

_FIGURE_ALT: Final = "Some of the images, each with the name and number of its class"

_STYLE: Final = """\
:root { color-scheme: light dark; --line: #d0d7de; --soft: #f6f8fa; --warn: #9a6700 }
@media (prefers-color-scheme: dark) {
  :root { --line: #3d444d; --soft: #151b23; --warn: #d29922 }
}
body {
  max-width: 52rem; margin: 0 auto; padding: 1.5rem 1rem 4rem;
  font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: break-word;
}
h1, h2, h3 { line-height: 1.25; margin: 2rem 0 .75rem }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .25rem }
blockquote {
  margin: 1rem 0; padding: .1rem 1rem; background: var(--soft);
  border-left: .25rem solid var(--warn);
}
code { font-size: .875em; background: var(--soft); padding: .15em .3em }
pre { background: var(--soft); padding: 1rem; overflow-x: auto }
pre code { padding: 0 }
table { display: block; overflow-x: auto; border-collapse: collapse }
th, td { border: 1px solid var(--line); padding: .35rem .75rem; text-align: left }
@media (max-width: 34rem) { th, td { padding: .25rem .4rem; font-size: .875rem } }
td:nth-child(5) { min-width: 12rem }
img { max-width: 100%; height: auto }
"""


def card_markdown(
    facts: DatasetFacts,
    configs: Sequence[ConfigFacts],
    loaders: Mapping[str, Sequence[str]],
    figures: Mapping[str, str],
    *,
    report: str = "",
    for_hub: bool = False,
) -> str:
    """Returns the card in Markdown, with tables as GitHub has them.

    Args:
        facts: What is said of the dataset.
        configs: Its finished configurations, one at least.
        loaders: By configuration, the lines of Python that load it.
        figures: By configuration, the address of its figure; it may lack some.
        report: The address of the report; empty for none.
        for_hub: Whether it is for the Hugging Face hub, and not in TFDS's words.
    """
    describe = _hub_sections if for_hub else _sections
    sections = {
        config.name: describe(
            facts, config, loaders.get(config.name, ()), figures.get(config.name)
        )
        for config in configs
    }
    titles = dict.fromkeys(title for each in sections.values() for title in each)
    shared = [
        title
        for title in titles
        if len({each.get(title) for each in sections.values()}) == 1
    ]
    one = facts.config and configs[0].name if len(configs) == 1 else ""
    blocks = [
        f"# {_line(facts.about.title)}",
        f"`{full_name(facts.name, one)}`, version `{facts.version}`"
        + (f". [The report](<{report}>) shows what is in it." if report else ""),
    ]
    if facts.about.manual_download and not for_hub:
        blocks.append(
            "> **Warning:** this dataset's archives have to be downloaded by hand. "
            "See the manual download instructions below."
        )
    first = sections[configs[0].name]
    for title in shared:
        blocks += [f"## {title}", first[title]]
    for config in configs if len(shared) < len(titles) else ():
        default = " (default config)" if config.name == facts.default_config else ""
        blocks.append(f"## {_line(f'{facts.name}/{config.name}')}{default}")
        for title, body in sections[config.name].items():
            if title not in shared:
                blocks += [f"### {title}", body]
    return "\n\n".join(blocks) + "\n"


def card_html(
    facts: DatasetFacts,
    configs: Sequence[ConfigFacts],
    loaders: Mapping[str, Sequence[str]],
    figures: Mapping[str, str],
) -> str:
    """Returns the card as one page of HTML that needs no other file.

    Its head describes the dataset for search engines, in schema.org's terms.

    Args:
        facts: What is said of the dataset.
        configs: Its finished configurations, one at least.
        loaders: By configuration, the lines of Python that load it.
        figures: By configuration, its figure, as a ``data:`` address.
    """
    from markdown_it import MarkdownIt  # for this page alone

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    # Markdown looks at each letter of an address, and a figure's has half a million.
    names = {config: f"figure-{number}" for number, config in enumerate(figures)}
    card = card_markdown(facts, configs, loaders, names, report=REPORT)
    # Not every browser's keyboard reaches what scrolls.
    body = re.sub("<(pre|table)>", r'<\1 tabindex="0">', markdown.render(card))
    for config, name in names.items():
        body = body.replace(f'src="{name}"', f'src="{html.escape(figures[config])}"')
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8" />\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f"<title>{html.escape(facts.about.title)}</title>\n"
        f"<style>\n{_STYLE}</style>\n"
        '<script type="application/ld+json">\n'
        f"{_json_in_html(_schema_org(facts))}\n</script>\n"
        f"</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def description_of(facts: DatasetFacts) -> dict[str, Any]:
    """Returns what schema.org has words for: a JSON-LD object without its context."""
    described = {
        "name": facts.name,
        "description": _paragraphs(facts.about.description),
        "url": facts.about.homepage,
        "version": facts.version,
        "license": facts.about.license.url,
        "creator": [{"@type": "Person", "name": name} for name in facts.about.creators],
        "keywords": [facts.name, *facts.about.keywords],
        "datePublished": facts.about.published,
    }
    return {key: value for key, value in described.items() if value}


def _schema_org(facts: DatasetFacts) -> dict[str, Any]:
    head = {"@context": "https://schema.org/", "@type": "Dataset"}
    return head | description_of(facts) | {"citation": facts.citation}


def _json_in_html(document: Mapping[str, Any]) -> str:
    """Returns JSON in which nothing can end the script that holds it."""
    return json.dumps(document, indent=2, ensure_ascii=False).replace("<", "\\u003c")


def _sections(
    facts: DatasetFacts, config: ConfigFacts, loader: Sequence[str], figure: str | None
) -> dict[str, str]:
    """Returns the Markdown of a configuration's sections by their titles."""
    sections = {
        "How to load": _code("python", "\n".join(loader)),
        "Description": _text(facts.about.description),
        "Config description": _text(config.description),
        "Homepage": _text(facts.about.homepage),
        "Versions": _versions(facts),
        "Download size": f"`{size_text(config.download_size)}`",
        "Dataset size": _dataset_size(config),
        "Manual download instructions": _text(facts.about.manual_download),
        "Auto-cached": _autocached(config),
        "Splits": _table(
            ("Split", "Examples", "Size", "Files"),
            (
                (
                    f"`{split.name}`",
                    f"{split.examples:,}",
                    size_text(sum(file.size for file in split.files)),
                    f"{len(split.files):,}",
                )
                for split in config.splits
            ),
        ),
        "Feature structure": _code("python", _feature_structure(facts.schema)),
        "Feature documentation": _table(
            ("Feature", "Class", "Shape", "Dtype", "Description"),
            (
                (
                    f"`{feature.name}`",
                    *(kind.tfds_name, shape_text(feature), kind.dtype),
                    _line(feature.documentation),
                )
                for feature in facts.schema.features
                for kind in [KINDS[feature.kind]]
            ),
        ),
        "Supervised keys": f"`{facts.schema.supervised}`",
        "Figure": f"![{_FIGURE_ALT}](<{figure}>)" if figure else "",
        "License": _license(facts.about.license),
        "Citation": _code("bibtex", facts.citation.strip()),
    }
    return {title: body for title, body in sections.items() if body}


def _license(license: License) -> str:
    link = _line(license.name)
    if license.url:
        link = f"[{link}](<{license.url}>)"
    return f"{link}\n\n{_text(license.terms)}" if license.terms else link


_GATE: Final = (
    "If this folder is uploaded to the hub, make the repository private, or turn on "
    "access requests in its settings. Only then do the `extra_gated_` keys at the head "
    "of this file ask people to accept the terms."
)

# What TFDS alone has, or the YAML at the head of the README.
_OF_TFDS: Final = (
    *("Auto-cached", "Feature structure", "Feature documentation", "Supervised keys"),
    *("Download size", "Manual download instructions"),
)


def _hub_sections(
    facts: DatasetFacts, config: ConfigFacts, loader: Sequence[str], figure: str | None
) -> dict[str, str]:
    """Returns the Markdown of a configuration's sections in a folder for the hub."""
    sections = _sections(facts, config, loader, figure)
    license_and_rest = {
        title: sections.pop(title, "") for title in ("License", "Citation")
    }
    columns = _table(
        ("Column", "Description"),
        (
            (f"`{feature.name}`", _line(feature.documentation))
            for feature in facts.schema.columns
        ),
    )
    classes = "\n".join(
        f"- `{label}` {_line(name)}" for label, name in enumerate(facts.shown_classes)
    )
    report = f"[{config.name}/{REPORT}](<{config.name}/{REPORT}>)"
    kept = {title: body for title, body in sections.items() if title not in _OF_TFDS}
    return {
        **kept,
        "Statistics": f"{report} shows sizes, encodings, duplicates and examples.",
        "Columns": columns,
        "License": f"{license_and_rest['License']}\n\n{_GATE}",
        **(
            {"Citation": citation} if (citation := license_and_rest["Citation"]) else {}
        ),
        "Classes": f"<details>\n<summary>All {len(facts.shown_classes):,}</summary>"
        f"\n\n{classes}\n\n</details>",
    }


def _versions(facts: DatasetFacts) -> str:
    """Returns a list of the versions with their notes, the built one in bold."""
    notes = dict(facts.about.release_notes)
    notes.setdefault(facts.version, "")
    lines = []
    for version, note in notes.items():
        built = version == facts.version
        item = f"- **`{version}`** (this one)" if built else f"- `{version}`"
        lines.append(f"{item}: {_line(note)}" if note else item)
    return "\n".join(lines)


def _dataset_size(config: ConfigFacts) -> str:
    records = sum(split.example_bytes for split in config.splits)
    files = sum(file.size for split in config.splits for file in split.files)
    return f"`{size_text(records)}` of records, in files of `{size_text(files)}`"


def _autocached(config: ConfigFacts) -> str:
    """Returns which splits ``tfds.load`` keeps in memory, by TFDS's rule.

    It keeps a dataset of at most 250 MiB, but a split of several files only where
    their order is not shuffled.
    """
    total = sum(split.example_bytes for split in config.splits)
    answers: dict[str, list[str]] = {}
    for split in config.splits:
        if not 0 < total <= _AUTOCACHE_LIMIT:
            answer = "No"
        elif len(split.files) > 1:
            answer = "Only when `shuffle_files=False`"
        else:
            answer = "Yes"
        answers.setdefault(answer, []).append(f"`{split.name}`")
    shown = ", ".join(f"{answer} ({', '.join(s)})" for answer, s in answers.items())
    return (
        f"{shown}. `tfds.load` keeps a dataset of at most "
        f"{_AUTOCACHE_LIMIT >> 20} MiB in memory once it is read."
    )


def _feature_structure(schema: Schema) -> str:
    lines = []
    for feature in schema.features:
        kind = KINDS[feature.kind]
        lines.append(
            f"    '{feature.name}': {kind.tfds_name}(shape={shape_text(feature)}, "
            f"dtype={kind.dtype}{kind.arguments(schema.class_names)}),\n"
        )
    return f"FeaturesDict({{\n{''.join(lines)}}})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _code(language: str, text: str) -> str:
    if not text:
        return ""
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _paragraphs(text: str) -> str:
    """Returns a text with one line a paragraph, whatever its indentation."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _text(text: str) -> str:
    """Returns a plain text as Markdown that shows it as it is."""
    parts = _LINK_OR_CODE.split(_paragraphs(text))
    parts[::2] = [_SPECIAL.sub(r"\\\g<0>", plain) for plain in parts[::2]]
    parts[1::2] = [p if p.startswith("`") else f"<{p}>" for p in parts[1::2]]
    return _BLOCK_START.sub(r"\1\\\2", "".join(parts))


def _line(text: str) -> str:
    """Returns a plain text as Markdown in one line."""
    return _text(" ".join(text.split()))
