"""Finished datasets that are changed as accidents change them, or as forgers would."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.helpers.archives import build, dataset_dir
from transforms import storage
from transforms.documents.directories import published_file
from transforms.documents.facts import document_facts
from transforms.documents.manifest import Manifest, decode_manifest, encode_manifest
from transforms.documents.tfds import split_documents
from transforms.formats.listing import SplitFacts
from transforms.formats.records import Example, Schema
from transforms.formats.table import FORMATS
from transforms.formats.tf_example import encode_example
from transforms.verification.conclusion import conclude_split
from transforms.verification.expectations import Expectations
from transforms.verification.files import check_file
from transforms.verification.findings import Findings, FindingsBuilder, Problem
from transforms.verification.inventory import ImageCheck
from transforms.verification.reading import take_inventory

NAME = "imagenet2012_subset"
ALL = ",".join(FORMATS)
NOTHING = Expectations({}, {}, archived=False)

Change = Callable[[list[Example]], list[Example]]


def place(data_dir: Path, format_name: str, version: str = "5.0.0") -> Path:
    """Returns where a format's files lie."""
    if FORMATS[format_name].layout == "tfds":
        return dataset_dir(data_dir, version=version)
    return data_dir / format_name / NAME / version / "demo"


def copy(data_dir: Path, target: Path) -> Path:
    """Copies datasets; links would let one test change what another reads."""
    shutil.copytree(
        data_dir, target, ignore=shutil.ignore_patterns("downloads", "quarantine")
    )
    return target


def build_all(archives: Path, data_dir: Path, *flags: object) -> Path:
    """Builds the demo configuration in all formats."""
    outcome = build(archives, data_dir, "--format", ALL, *flags)
    assert outcome.code == 0, outcome.err
    return data_dir


def findings_of(directory: Path, images: ImageCheck = "header") -> Findings:
    """Returns what the steps of a verification find, without an engine."""
    inventory = take_inventory(str(directory))
    findings = FindingsBuilder()
    findings.include([inventory.findings])
    for holding in inventory.holdings:
        for name in dict.fromkeys(split.name for split in holding.splits):
            held = [split for split in holding.splits if split.name == name]
            conclusion = conclude_split(
                held,
                [check_file(file, images) for split in held for file in split.files],
                [],
                holding.class_names,
                NOTHING,
            )
            findings.include([conclusion.findings])
    return findings.result()


def problems_of(directory: Path, images: ImageCheck = "header") -> list[Problem]:
    """Returns the problems that a verification lists."""
    return list(findings_of(directory, images).listed)


def read_manifest(directory: Path) -> Manifest:
    """Returns a directory's manifest."""
    path = directory / "manifest.json"
    return decode_manifest(path.read_bytes(), str(path))


def shards(directory: Path, format_name: str, split: str) -> list[Path]:
    """Returns the files of a split, as the manifest lists them."""
    (facts,) = (
        facts
        for facts in read_manifest(directory).formats[format_name]
        if facts.name == split
    )
    return [directory / file.name for file in facts.files]


def rewrite(directory: Path, format_name: str, path: Path, change: Change) -> None:
    """Writes a file again, well framed, with other records."""
    class_names = read_manifest(directory).class_names
    records = change(list(FORMATS[format_name].codec.read(str(path))))
    with FORMATS[format_name].codec.publish(str(path), Schema(class_names)) as file:
        for record in records:
            file.writer.write(record)


def forge_manifest(directory: Path) -> None:
    """Writes a manifest that fits the files as they are now."""
    manifest = read_manifest(directory)

    def facts_of(format_name: str, split: SplitFacts) -> SplitFacts:
        files = []
        example_bytes = 0
        for file in split.files:
            records = list(FORMATS[format_name].codec.read(str(directory / file.name)))
            example_bytes += sum(len(b"".join(encode_example(r))) for r in records)
            files.append(
                published_file(str(directory), file.name, len(records), "blake3")
            )
        examples = sum(file.examples for file in files)
        return SplitFacts(split.name, examples, example_bytes, tuple(files))

    forged = replace(
        manifest,
        formats={
            name: tuple(facts_of(name, split) for split in splits)
            for name, splits in manifest.formats.items()
        },
    )
    (directory / "manifest.json").write_bytes(encode_manifest(forged))


def forge_documents(directory: Path) -> None:
    """Writes all other documents to fit a forged manifest, as far as TFDS's go."""
    manifest = read_manifest(directory)
    (format_name, splits), *_ = manifest.formats.items()

    def fit_info(info: dict[str, Any]) -> None:
        info["splits"] = split_documents(splits)

    def fit_statistics(statistics: dict[str, Any]) -> None:
        for split in splits:
            records = [
                record
                for file in split.files
                for record in FORMATS[format_name].codec.read(
                    str(directory / file.name)
                )
            ]
            statistics["splits"][split.name] |= {
                "examples": split.examples,
                "example_bytes": split.example_bytes,
                "image_bytes": sum(len(record.image) for record in records),
                "labels": dict(Counter(str(record.label) for record in records)),
                "encodings": {"jpeg": len(records)},
            }

    edit_json(directory / "dataset_info.json", fit_info)
    edit_json(directory / "statistics.json", fit_statistics)
    forge_hashes(directory)


def forge_hashes(directory: Path) -> None:
    """Writes a manifest that fits the documents as they are now."""
    manifest = read_manifest(directory)
    documents = {
        name: document_facts((directory / name).read_bytes(), "blake3")
        for name in manifest.documents
    }
    forged = encode_manifest(replace(manifest, documents=documents))
    (directory / "manifest.json").write_bytes(forged)


def edit_json(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Changes a document in place."""
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def flip(path: Path, offset: int, bit: int = 0) -> None:
    """Flips one bit of a file, which keeps its length."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))
        os.fsync(file.fileno())


def restore(path: Path, data: bytes) -> None:
    """Writes a file's bytes back, in place."""
    assert storage.file_info(str(path)).size == len(data)
    path.write_bytes(data)
