"""What is printed of a finished build."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.table import Table

from beam_pipeline.config import BuildConfig
from beam_pipeline.console.terminal import print_table
from transforms import counters, storage
from transforms.documents import page_uris
from transforms.errors import sample
from transforms.formats import FORMATS, loader_line
from transforms.shards import ShardOutput
from transforms.verification import STATISTICS

Counters = Mapping[tuple[str, str], int]

# What is said of a warning that an image is kept in spite of.
_WARNINGS: Final = {
    "missing_end": "lack their end and may be cut off; --verify_images=decode leaves "
    "out those that cannot be loaded",
    "missing_data": "lack some of their pixels' data",
    "bad_code": "have a wrong code among their pixels",
    "lost_restart": "lack a restart marker",
    "inconsistent_scans": "have scans that do not fit together",
    "extraneous_bytes": "have bytes that belong nowhere",
    "unknown_header": "have a header of an unknown version",
}


def print_summary(
    config: BuildConfig, output: ShardOutput, counts: Counters, seconds: float
) -> None:
    """Prints what was built, what is odd about it, and how it is loaded.

    Args:
        config: What was asked for.
        output: What of it was written, and where.
        counts: The pipeline's counters, by namespace and name.
        seconds: How long it took.
    """
    table = Table(title=f"{config.full_name} {config.version}")
    table.add_column("split")
    for column in ("examples", "bytes of records"):
        table.add_column(column, justify="right")
    table.add_column("format")
    for column in ("files", "bytes of files"):
        table.add_column(column, justify="right")
    splits = [
        split
        for split in config.versions[config.version]
        if (split, counters.EXAMPLES) in counts
    ]
    for split in splits:
        counted = [
            split,
            f"{counts[split, counters.EXAMPLES]:,}",
            f"{counts[split, counters.EXAMPLE_BYTES]:,}",
        ]
        for name in output.formats:
            files = counters.files(name), counters.file_bytes(name)
            table.add_row(*counted, name, *(f"{counts[split, key]:,}" for key in files))
            counted = [""] * len(counted)
    print_table(table)
    for split in splits:
        for remark in _remarks(config, split, counts):
            print(remark)
    for remark in _warnings(output, splits):
        print(remark)
    busy = sum(counts.get((split, counters.WORKER_MS), 0) for split in splits) / 1000
    print(f"Built in {seconds:.1f} s. Workers spent {busy:.1f} s on shards.")
    for name in output.formats:
        print(f"{name}: {output.places.directory(name)}")
        print(f"Look at it: {' and '.join(page_uris(output.places, name))}")
        print(loader_line_of(config, output, name))


def _remarks(config: BuildConfig, split: str, counts: Counters) -> list[str]:
    """Returns what is worth saying of a split: odd counts, repairs, members skipped."""
    wanted = config.splits[split]
    remarks = []
    for counter, text in (
        (
            counters.MISSING_MEMBERS,
            f"of the {wanted.members or 0:,} images that its archive should have are "
            "missing",
        ),
        (
            counters.MISSING,
            f"of its {wanted.expected_examples or 0:,} examples are missing"
            if wanted.subset is None
            else "images that its subset should have are missing",
        ),
        (counters.OTHER_CLASS, "images have another label than their names say"),
        (
            counters.UNKNOWN_CLASSES,
            "folders or tars of no known class skipped: the list wants none of them",
        ),
        (counters.repaired("cmyk"), "CMYK images made RGB"),
        (counters.repaired("png"), "PNG images made JPEG"),
        (counters.REJECTED, "bad images left out; report.html shows them"),
        (counters.SKIPPED_LINKS, "links skipped"),
        (counters.UNMARKED_ENDS, "tars without end-of-archive blocks"),
        (counters.ZEROS_AT_ENDS, "zero bytes at the end of tars, more than padding"),
        (counters.SKIPPED_LEFTOVERS, "leftovers of editors and systems skipped"),
        (counters.OTHER_SPLITS, "images skipped that are called otherwise"),
        (counters.SKIPPED_OTHERS, "files skipped that are no images by their names"),
    ):
        number = counts.get((split, counter), 0)
        if number:
            remarks.append(f"{split}: {number:,} {text}.")
    return remarks


def _warnings(output: ShardOutput, splits: list[str]) -> Iterator[str]:
    """Yields what decoders warned of, with the first images' names."""
    uri = storage.join(output.places.directory(output.formats[0]), STATISTICS)
    document: Mapping[str, Any] = json.loads(storage.read_bytes(uri))
    for split in splits:
        counted = document["splits"][split]
        for warning, sources in counted["warned"].items():
            number = counted["warnings"][warning]
            names = sample([source["name"] for source in sources], 3, number)
            said = _WARNINGS.get(warning, f"have the warning {warning}")
            yield f"{split}: {number:,} images {said}: {names}."


def loader_line_of(config: BuildConfig, output: ShardOutput, format_name: str) -> str:
    """Returns the line of Python that loads what was built, and what it takes."""
    line = loader_line(
        format_name,
        root=output.places.root(format_name),
        name=config.name,
        config=config.config,
        version=config.version,
        split=config.versions[config.version][0],
    )
    return f"Load it: {line}  # pip install {FORMATS[format_name].packages}"
