"""The datasets that can be built: ``run --list``, and the page ``docs/datasets.md``.

``python -m beam_pipeline.catalogue`` prints the page.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.filesize import decimal
from rich.table import Table

from beam_pipeline.config import BuildConfig, load_config, shipped_configs
from beam_pipeline.console import print_table

_ABOUT_PAGE = """\
# Datasets

<!-- `make docs` writes this page from configs/: change them instead. -->

These configurations are shipped. `--config NAME` builds one, and a config of your own
may say `base: NAME` and what differs. [subsets.md](subsets.md) cuts any of them down.
`python -m beam_pipeline.run --list` prints this as a table.
"""


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """What a shipped configuration builds.

    Attributes:
        name: What ``--config`` calls it.
        config: The configuration.
    """

    name: str
    config: BuildConfig

    @property
    def splits(self) -> list[tuple[str, str]]:
        """Each split with its number of examples, in words."""
        config = self.config
        numbers = [
            (split, config.splits[split].expected_examples)
            for split in config.versions[config.version]
        ]
        return [(s, "not stated" if n is None else f"{n:,}") for s, n in numbers]

    @property
    def archives(self) -> list[tuple[str, int | None]]:
        """The archives that have to be got for it, each with its bytes if known."""
        text = self.config.about.manual_download
        return [
            (name, archive.size)
            for name, archive in self.config.known_archives.items()
            if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)
        ]

    @property
    def size(self) -> str:
        """How much the archives are together, as far as known, in words."""
        known = sum(size for _, size in self.archives if size is not None)
        return decimal(known) if known else "not known" if self.archives else "none"

    @property
    def texts(self) -> tuple[str, ...]:
        """What configurations of a dataset mostly share."""
        about = self.config.about
        return (
            self.config.name,
            about.description.strip(),
            about.manual_download.strip(),
            about.license.name,
            about.homepage,
        )


def read_catalogue() -> list[CatalogueEntry]:
    """Returns what is shipped, by dataset.

    Raises:
        ConfigError: A configuration is wrong.
    """
    entries = [
        CatalogueEntry(name, load_config(name, {}, {})) for name in shipped_configs()
    ]
    return sorted(entries, key=lambda entry: entry.config.name)


def print_catalogue() -> None:
    """Prints what is shipped, as a table and what has to be got by hand."""
    entries = read_catalogue()
    table = Table()
    for column in ("--config", "dataset", "split"):
        table.add_column(column)
    table.add_column("examples", justify="right")
    table.add_column("archives", justify="right")
    table.add_column("licence")
    for entry in entries:
        config = entry.config
        row = [entry.name, f"{config.full_name}:{config.version}"]
        end = [entry.size, config.about.license.name]
        for split, examples in entry.splits:
            table.add_row(*row, split, examples, *end)
            row, end = [""] * len(row), [""] * len(end)
    print_table(table)
    for names, text in _by_hand(entries):
        print(f"For {' and '.join(names)}: {' '.join(text.split())}")


def _by_hand(entries: Iterable[CatalogueEntry]) -> list[tuple[list[str], str]]:
    """Returns what has to be got by hand, each with the configurations it is for."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        text = entry.config.about.manual_download.strip()
        found.setdefault(text, []).append(entry.name)
    return [(names, text) for text, names in found.items() if text]


def datasets_page() -> str:
    """Returns the page of all datasets, in Markdown."""
    blocks = [_ABOUT_PAGE]
    dataset = ""
    groups: dict[tuple[str, ...], list[CatalogueEntry]] = {}
    for entry in read_catalogue():
        groups.setdefault(entry.texts, []).append(entry)
    for entries in groups.values():
        name = entries[0].config.name
        blocks += [f"## {name}\n"] if name != dataset else []
        blocks.append(_section(entries))
        dataset = name
    return "\n".join(blocks)


def _section(entries: Sequence[CatalogueEntry]) -> str:
    """Returns what is said of configurations that share their texts."""
    about = entries[0].config.about
    by_hand = " ".join(about.manual_download.split())
    return "\n".join(
        [
            f"### {', '.join(entry.name for entry in entries)}",
            "",
            about.description.strip(),
            "",
            "| `--config` | loads as | examples | |",
            "|---|---|---|---|",
            *map(_row, entries),
            "",
            f"*   Archives: {_archives_in_words(entries[0])}.",
            *([f"*   To get by hand: {by_hand}"] if by_hand else []),
            f"*   Licence: [{about.license.name}]({about.license.url}).",
            f"*   Homepage: <{about.homepage}>.",
            "",
        ]
    )


def _row(entry: CatalogueEntry) -> str:
    config = entry.config
    cells = [
        f"`{entry.name}`",
        f"`{config.full_name}:{config.version}`",
        ", ".join(f"{split} {examples}" for split, examples in entry.splits),
        config.about.config_description.strip(),
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _archives_in_words(entry: CatalogueEntry) -> str:
    archives = [
        f"`{name}` ({'size not known' if size is None else f'{size:,} bytes'})"
        for name, size in entry.archives
    ]
    return (
        f"{', '.join(archives)}; together {entry.size}" if archives else "none to get"
    )


if __name__ == "__main__":
    sys.stdout.write(datasets_page())
