"""What is printed of a finished build."""

from collections.abc import Mapping

from rich.table import Table

from beam_pipeline.config import BuildConfig
from beam_pipeline.terminal import print_table
from transforms.formats import loader_line
from transforms.output import ShardOutput

Counters = Mapping[tuple[str, str], int]


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
    table = Table(title=f"{config.name}/{config.config} {config.version}")
    table.add_column("split")
    for column in ("examples", "bytes", "worker s"):
        table.add_column(column, justify="right")
    table.add_column("format")
    for column in ("files", "bytes"):
        table.add_column(column, justify="right")
    splits = [
        split
        for split in config.versions[config.version]
        if (split, "examples") in counts
    ]
    for split in splits:
        counted = [
            split,
            f"{counts[split, 'examples']:,}",
            f"{counts[split, 'example_bytes']:,}",
            f"{counts.get((split, 'worker_ms'), 0) / 1000:.1f}",
        ]
        for name in output.formats:
            files = counts[split, f"{name}_files"], counts[split, f"{name}_bytes"]
            table.add_row(*counted, name, *(f"{number:,}" for number in files))
            counted = [""] * len(counted)
    print_table(table)
    for split in splits:
        for remark in _remarks(config, split, counts):
            print(remark)
    print(f"Built in {seconds:.1f} s.")
    for name in output.formats:
        print(f"{name}: {output.directory(name)}")
        print(loader_line_of(config, output, name))


def _remarks(config: BuildConfig, split: str, counts: Counters) -> list[str]:
    """Returns what is worth saying of a split: odd counts, repairs, members skipped."""
    wanted = config.splits[split]
    remarks = []
    for counter, text in (
        (
            "missing_members",
            f"of the {wanted.members or 0:,} images that its archive should have are "
            "missing",
        ),
        (
            "missing",
            f"of its {wanted.expected_examples or 0:,} examples are missing"
            if wanted.subset is None
            else "listed images are not in the archive",
        ),
        ("other_class", "images have another label than their names tell of"),
        (
            "unknown_classes",
            "tars of no known class skipped: the list wants none of them",
        ),
        ("repaired_cmyk", "CMYK images made RGB"),
        ("repaired_png", "PNG images made JPEG"),
        ("rejected", "bad images left out; report.html shows them"),
        ("skipped_links", "links skipped"),
        ("unmarked_ends", "tars without end-of-archive blocks"),
        ("zeros_at_ends", "zero bytes at the end of tars, more than padding"),
        ("skipped_leftovers", "leftovers of editors and systems skipped"),
    ):
        number = counts.get((split, counter), 0)
        if number:
            remarks.append(f"{split}: {number:,} {text}.")
    return remarks


def loader_line_of(config: BuildConfig, output: ShardOutput, format_name: str) -> str:
    """Returns the line of Python that loads what was built."""
    line = loader_line(
        format_name,
        root=output.root(format_name),
        name=config.name,
        config=config.config,
        version=config.version,
        split=config.versions[config.version][0],
    )
    return f"Load it: {line}"
