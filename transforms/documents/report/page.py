"""A page of HTML that needs no other file: its frame, its sections, tables and lists.

The page is made to be read on a phone, in the dark, on paper, by keyboard and by screen
reader. It has no scripts and loads nothing, which its Content-Security-Policy enforces.
What is a text is escaped here or by the caller, as said; what is HTML is not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page.

    Attributes:
        title: Its heading, a text.
        body: HTML.
        parts: The sections in it, which follow its body.
    """

    title: str
    body: str
    parts: tuple["Section", ...] = ()


_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE: Final = """\
:root {
  color-scheme: light; --page: #fff; --text: #1f2328; --quiet: #59636e;
  --line: #d0d7de; --soft: #f6f8fa; --link: #0550ae; --bar: #0969da;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark; --page: #0d1117; --text: #e6edf3; --quiet: #9198a1;
    --line: #3d444d; --soft: #151b23; --link: #79b8ff; --bar: #4493f8;
  }
}
* { box-sizing: border-box }
body {
  max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem 4rem;
  background: var(--page); color: var(--text);
  font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere;
}
p { max-width: 44rem }
a { color: var(--link) }
:focus-visible { outline: 3px solid var(--bar); outline-offset: 2px }
h1, h2, h3, h4 { line-height: 1.25; margin: 2rem 0 .75rem }
h1 { font-size: min(2rem, 10vw) }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .25rem; margin-top: 3rem }
h4 { font-size: 1rem; margin: 0 0 .25rem }
code { font-size: .875em; background: var(--soft); padding: .15em .3em }
.skip { position: absolute; left: -100vw }
.skip:focus { left: 1rem; top: .5rem; background: var(--page); padding: .5rem }
nav ul, .pictures, .groups { list-style: none; margin: 0; padding: 0 }
nav { background: var(--soft); padding: .75rem 1rem; margin: 1.5rem 0 }
nav > ul > li { padding: .15rem 0 }
nav ul ul { display: inline }
nav ul ul li { display: inline-block; margin-left: .9rem; font-size: .875rem }
nav a { display: inline-block; padding: .15rem 0 }
dl { display: grid; gap: .75rem; margin: 1rem 0 }
dt { color: var(--quiet); font-size: .875rem }
dd { margin: 0 }
.facts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)) }
.key { grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)) }
.key dd { font-size: 1.25rem; line-height: 1.3 }
.key small { display: block; color: var(--quiet); font-size: .8125rem }
.scroll { overflow: auto; max-height: 20rem }
.scroll caption { white-space: nowrap }
table { border-collapse: collapse; overflow-wrap: normal }
caption { text-align: left; color: var(--quiet); font-size: .875rem; padding: .25rem 0 }
th, td { border-bottom: 1px solid var(--line); padding: .3rem min(.75rem, 3vw) .3rem 0 }
th { text-align: left }
th:last-child, td:last-child { padding-right: 0 }
tbody th { font-weight: normal }
td, thead th + th { text-align: right; font-variant-numeric: tabular-nums }
td { white-space: nowrap }
thead th { font-weight: normal; font-size: .875rem; color: var(--quiet) }
.grid { display: grid; gap: 1rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)) }
.card { padding: min(1rem, 4vw); border: 1px solid var(--line); min-width: 0 }
.card > p { color: var(--quiet); font-size: .875rem; margin: 0 0 .5rem }
.card table { width: 100% }
.card th:first-child { width: 100% }
.card tbody th { overflow-wrap: anywhere }
.wide { margin: 1rem 0 }
svg { display: block; overflow: visible }
svg text { fill: var(--quiet); font-size: .75rem }
.bars { fill: var(--bar); stroke: var(--bar); vector-effect: non-scaling-stroke }
.axis { stroke: var(--quiet) }
.mark { stroke: var(--text); stroke-dasharray: 4 3 }
.halo { stroke: var(--page); stroke-width: 3; stroke-opacity: .75 }
.share { display: block; border-top: .375rem solid var(--bar); margin-top: .2rem }
summary { cursor: pointer; font-size: .875rem; color: var(--link); width: max-content }
.pictures { display: grid; gap: 1rem .75rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fill, minmax(8.25rem, 1fr)) }
.groups { display: flex; flex-wrap: wrap; gap: 1rem }
.groups { margin: 1rem 0 }
.groups > li > .pictures { margin: 0 }
.groups > li { border: 1px solid var(--line); padding: .75rem; max-width: 100% }
.groups .pictures { display: flex; flex-wrap: wrap }
.groups .pictures li { width: 8.25rem }
.pictures figure { margin: 0 }
.pictures img, .missing { display: block; width: 100%; height: auto; aspect-ratio: 1;
  object-fit: contain; background: var(--soft) }
.missing { display: grid; place-items: center; padding: .5rem; text-align: center;
  color: var(--quiet); border: 1px dashed var(--quiet); font-size: .875rem }
figcaption { font-size: .8125rem; line-height: 1.4; margin-top: .35rem }
figcaption span { display: block; color: var(--quiet) }
.hidden, .card caption { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap }
@media print {
  nav, .skip, details, footer { display: none }
  .scroll { max-height: none }
  figure, tr, .card, .key div { break-inside: avoid }
  h2, h3, h4 { break-after: avoid }
}
"""


def page_html(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """Returns a page with links to its sections.

    Args:
        title: Its heading, a text.
        subtitle: HTML beneath the heading.
        sections: What is on it.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#content">Skip to the content</a>\n'
        f"<header>\n<h1>{escape(title)}</h1>\n<p>{subtitle}</p>\n</header>\n"
        f'<nav id="contents" aria-label="Contents">\n{_links(sections, "part")}</nav>\n'
        f'<main id="content" tabindex="-1">\n{_render(sections, "part", 2)}</main>\n'
        '<footer>\n<p><a href="#contents">Back to the contents</a></p>\n</footer>\n'
        "</body>\n</html>\n"
    )


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    scrolls: bool = False,
) -> str:
    """Returns a table whose rows begin with their heading.

    Args:
        caption: What it is called, a text.
        head: The columns' headings, texts.
        rows: Cells, each HTML.
        scrolls: Whether it scrolls where it is long or wide.
    """
    columns = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>'
        f"{''.join(f'<td>{cell}</td>' for cell in rest)}</tr>\n"
        for first, *rest in rows
    )
    lines = (
        f"<table>\n<caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{columns}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"
    )
    if not scrolls:
        return lines
    # What scrolls has to be reached by keyboard, and needs a name then.
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(caption)}">'
        f"\n{lines}</div>\n"
    )


def terms(kind: str, described: Mapping[str, str]) -> str:
    """Returns a list of terms with what they are.

    Args:
        kind: Its class in the style sheet: ``facts`` or ``key``.
        described: HTML by term, a text.
    """
    items = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{value}</dd></div>\n"
        for term, value in described.items()
    )
    return f'<dl class="{kind}">\n{items}</dl>\n'


def _links(sections: Iterable[Section], name: str) -> str:
    items = (
        f'<li><a href="#{name}-{number}">{escape(section.title)}</a>'
        + (_links(section.parts, f"{name}-{number}") if section.parts else "")
        + "</li>\n"
        for number, section in enumerate(sections, 1)
    )
    return f"<ul>\n{''.join(items)}</ul>\n"


def _render(sections: Iterable[Section], name: str, level: int) -> str:
    return "".join(
        f'<section id="{name}-{number}">\n'
        f"<h{level}>{escape(section.title)}</h{level}>\n"
        f"{section.body}{_render(section.parts, f'{name}-{number}', level + 1)}"
        "</section>\n"
        for number, section in enumerate(sections, 1)
    )
