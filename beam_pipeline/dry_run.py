"""``--dry_run``: what a build would do, from headers and a few images alone."""

import time
from typing import Final

from apache_beam.options.pipeline_options import PipelineOptions
from rich.filesize import decimal
from rich.table import Table

from beam_pipeline.config import BuildConfig
from beam_pipeline.console import Counters, print_table, silenced_workers
from beam_pipeline.engines.runners import counters, make_pipeline, shards_at_once
from beam_pipeline.inputs import BuildInputs
from beam_pipeline.pipeline import estimate_build
from transforms import storage
from transforms.archives import index_path, open_index
from transforms.cores import available_cores
from transforms.counters import (
    MEMBERS,
    MISSING,
    PLANNED_BYTES,
    PLANNED_IMAGES,
    PLANNED_SHARDS,
    SAMPLED_BYTES,
    SAMPLED_IMAGES,
    SAMPLED_US,
    SAMPLED_WRITTEN,
    planned_files,
)

_FIXED_SECONDS: Final = 5  # of every build: the runner, the documents


def print_estimate(
    config: BuildConfig, inputs: BuildInputs, options: PipelineOptions
) -> None:
    """Plans a build on this machine and prints what it would come to.

    Args:
        config: What is asked for.
        inputs: What would be read and written.
        options: Beam's, of a local run.

    Raises:
        BuildError: The build would fail: what fails a plan fails here.
    """
    saved = sum(
        open_index(index_path(archive), archive) is not None
        for archive in inputs.archives
    )
    start = time.monotonic()
    pipeline = make_pipeline(options)
    estimate_build(pipeline, inputs)
    with silenced_workers():
        result = pipeline.run()
        result.wait_until_finish()
    planning = time.monotonic() - start
    counts = counters(result)
    _print_table(config, inputs, counts)
    for line in _remarks(inputs, options, counts, saved, planning):
        print(line)


def _print_table(config: BuildConfig, inputs: BuildInputs, counts: Counters) -> None:
    table = Table(title=f"{config.full_name} {config.version}, not built")
    table.add_column("split")
    for column in ("members", "selected", "to read", "shards"):
        table.add_column(column, justify="right")
    table.add_column("format")
    for column in ("files", "about"):
        table.add_column(column, justify="right")
    for split in inputs.options:
        planned = [
            split,
            f"{counts.get((split, MEMBERS), 0):,}",
            f"{counts[split, PLANNED_IMAGES]:,}",
            decimal(counts[split, PLANNED_BYTES]),
            f"{counts[split, PLANNED_SHARDS]:,}",
        ]
        for name in inputs.output.formats:
            files = f"{counts[split, planned_files(name)]:,}"
            table.add_row(*planned, name, files, decimal(_written(split, counts)))
            planned = [""] * len(planned)
    print_table(table)


def _written(split: str, counts: Counters) -> int:
    """Returns about how many bytes a split's images would have."""
    read, written = counts[split, SAMPLED_BYTES], counts[split, SAMPLED_WRITTEN]
    return round(counts[split, PLANNED_BYTES] * (written / read if read else 1))


def _remarks(
    inputs: BuildInputs,
    options: PipelineOptions,
    counts: Counters,
    saved: int,
    planning: float,
) -> list[str]:
    splits = list(inputs.options)
    # A zip of all splits counts once; how large a folder is, nobody has asked.
    sizes = {archive.file.uri: archive.file.size for archive in inputs.archives}
    known = f"Of {decimal(sum(sizes.values()))} of archives " * all(sizes.values())
    to_read = _total(splits, counts, PLANNED_BYTES)
    at_once = min(shards_at_once(options), available_cores())
    seconds = sum(
        counts[split, SAMPLED_US]
        / 1e6
        / max(1, counts[split, SAMPLED_IMAGES])
        * counts[split, PLANNED_IMAGES]
        for split in splits
    )
    missing = {split: counts.get((split, MISSING), 0) for split in splits}
    remarks = [
        *(
            f"{split}: {number:,} images are missing in the archive."
            for split, number in missing.items()
            if number
        ),
        f"{known}{decimal(to_read)} would be read, headers apart.",
        f"Headers: {saved} of {len(inputs.archives)} archives have a saved index; "
        f"planning took {planning:.1f} s.",
        f"Images: about {seconds / at_once:,.0f} s on this machine, going by "
        f"{_total(splits, counts, SAMPLED_IMAGES):,} of them. Writing them comes on "
        f"top, and {_FIXED_SECONDS} s or so for Beam and documents.",
    ]
    places = [archive.file.uri for archive in inputs.archives]
    if not all(map(storage.is_local, (*places, inputs.output.places.data_dir))):
        images = _total(splits, counts, PLANNED_IMAGES)
        members = _total(splits, counts, MEMBERS)
        files = sum(
            _total(splits, counts, planned_files(name))
            for name in inputs.output.formats
        )
        walked = members if saved < len(inputs.archives) else 0
        remarks.append(
            f"Requests to object storage, at most: {walked:,} for headers, {images:,} "
            f"for images, {files:,} uploads."
        )
    remarks.append("Nothing was written.")
    return remarks


def _total(splits: list[str], counts: Counters, name: str) -> int:
    return sum(counts.get((split, name), 0) for split in splits)
