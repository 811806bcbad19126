"""What an earlier run left: swept, counted, and compared with what is wanted now.

Whether a shard that is there is used again is decided shard by shard, by its report
(``transforms.shards``). Here the user learns what to expect. Beside the reports lies
``build.json``, which says what the run was given.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any, Final

from beam_pipeline.inputs.build import BuildInputs
from beam_pipeline.inputs.built_from import note_archives
from transforms import storage
from transforms.errors import StorageError
from transforms.planning import Drawing
from transforms.shards import FORMAT, VERSION, ShardOutput
from transforms.statistics import kinds
from transforms.storage import short_names, sweep

_BUILD: Final = "build.json"


def sweep_leftovers(output: ShardOutput, index_dir: str) -> None:
    """Removes the unpublished files of dead runs.

    Raises:
        StorageError: One can't be removed.
    """
    sweep_own(output)
    sweep_shared(output, index_dir)


def sweep_shared(output: ShardOutput, index_dir: str) -> None:
    """Removes the unpublished files of dead runs where others may be running."""
    shared = {index_dir}
    for name in output.formats:
        places = (output.places.root(name), output.places.beside(name))
        shared |= {place for place in places if place}
    for directory in sorted(shared):
        with suppress(StorageError):  # it may be none of ours
            sweep(directory)


def sweep_own(output: ShardOutput) -> None:
    """Removes the unpublished files of directories that a run has for itself.

    Raises:
        StorageError: One can't be removed.
    """
    for name in output.formats:
        sweep(output.places.directory(name), ours=True)
        sweep(output.places.reports(name), ours=True)
    sweep(output.places.quarantine(), ours=True)


@contextmanager
def noted_build(inputs: BuildInputs) -> Iterator[list[str]]:
    """Notes what this run is given; yields what to say of those before it.

    The note stays where shards do, and goes where a run fails before its first one.

    When the run has ended well, what it was built from is noted for good.

    Raises:
        StorageError: The note can't be written.
    """
    wanted = _build_facts(inputs)
    output = inputs.output
    remarks = []
    for name in output.formats:
        note = storage.join(output.places.reports(name), _BUILD)
        there = _reported(output.places.reports(name))
        if there:
            remarks.append(_remark(name, there, _changes(note, wanted)))
        storage.make_directory(output.places.reports(name))
        storage.publish_bytes(note, json.dumps(wanted, indent=2).encode())
    ended = False
    try:
        yield remarks
        ended = True
        note_archives(output.places, output.formats, inputs.index_dir, inputs.archives)
    finally:
        for name in output.formats:
            if not ended and not _reported(output.places.reports(name)):
                # The directory stays: a job may be about to publish its first report.
                storage.remove(storage.join(output.places.reports(name), _BUILD))


def published_shards(output: ShardOutput) -> str:
    """Returns how many shards have been published, in words, for each format."""
    counts = []
    for name in output.formats:
        there = _reported(output.places.reports(name))
        shards = " and ".join(
            f"{number:,} of {total:,} {split} shards"
            for (split, total), number in sorted(there.items())
        )
        counts.append(f"{name}: {shards or 'no shard'}")
    return "; ".join(counts)


def _reported(directory: str) -> dict[tuple[str, int], int]:
    """Returns the number of shards with a report, by split and its number of shards."""
    found: dict[tuple[str, int], int] = {}
    for name in storage.list_names(directory):
        shard, of, total = name.removesuffix(".json").rpartition("-of-")
        if of and total.isdecimal():
            key = shard.rpartition("-")[0], int(total)
            found[key] = found.get(key, 0) + 1
    return found


def _remark(
    format_name: str, there: Mapping[tuple[str, int], int], changes: list[str]
) -> str:
    shards = sum(there.values())
    if changes:
        return (
            f"{format_name}: an earlier run left {shards:,} shards, with other "
            f"settings: {'; '.join(changes)}. What differs is built again."
        )
    left = ", ".join(
        f"{number:,} of {total:,} {split}"
        for (split, total), number in sorted(there.items())
    )
    return f"{format_name}: continuing an earlier run: {left} shards are there."


def _changes(uri: str, wanted: dict[str, Any]) -> list[str]:
    try:
        before = storage.read_json(uri) if storage.exists(uri) else {}
    except StorageError:
        before = {}
    if not before:
        return ["which ones is not known"]
    return [
        f"{key} was {before.get(key)}, now {wanted.get(key)}"
        for key in sorted({*before, *wanted})
        if before.get(key) != wanted.get(key)
    ]


def _build_facts(inputs: BuildInputs) -> dict[str, Any]:
    """Returns all that decides the bytes of shards, as text and numbers by name."""
    output = inputs.output
    facts: dict[str, Any] = {
        "program": VERSION,
        "reports": _digest(json.dumps([FORMAT, kinds()])),
        "statistics": "full" if output.pixels else "cheap",
        "dimensions": output.schema.dimensions,
        "class_names": _digest("\n".join(output.schema.class_names)),
    }
    names = short_names(archive.file.uri for archive in inputs.archives)
    for archive in inputs.archives:
        file = archive.file
        facts[f"{archive.split}.{names[file.uri]}"] = (
            f"{file.size:,} bytes of {file.generation}"
        )
    for split, options in inputs.options.items():
        facts |= {
            f"{split}.{key}": value
            for key, value in {
                **{f"images.{k}": v for k, v in asdict(output.images[split]).items()},
                **{f"max_file_bytes.{k}": v for k, v in options.max_file_bytes.items()},
                "subset": _digest("\n".join(options.subset.names))
                if options.subset
                else None,
                "excluded": _digest("\n".join(sorted(options.excluded.names)))
                if options.excluded
                else None,
                "classes": _digest(str(inputs.selections[split].kept_classes))
                if inputs.selections[split].kept_classes
                else None,
                "draws": _draws(inputs.selections[split].drawing),
                "num_shards": options.num_shards,
                "max_examples": options.max_examples,
                "allow_missing": options.allow_missing,
            }.items()
        }
    normalised: dict[str, Any] = json.loads(json.dumps(facts))
    return normalised


def _draws(drawing: Drawing | None) -> str | None:
    """Returns what is drawn, in words; None where nothing is."""
    if drawing is None or not drawing.draws:
        return None
    said = ", then ".join(draw.in_words() for draw in drawing.draws)
    return f"all but {said}" if drawing.rest else said


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
