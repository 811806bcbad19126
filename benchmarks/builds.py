"""The cases of ``make bench`` that are whole builds, and what is beside them."""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.machine import NO_SHA, has_sha
from benchmarks.measure import (
    ROOT,
    Measurement,
    images_of_1pct,
    measure,
    stated_numbers,
    tidy,
)
from benchmarks.table import Case
from transforms.cores import available_cores

SAVED: Final = "saved index"
FEW: Final = "saved index, 1,000 images"
FEW_IMAGES: Final = 1000

_DATASET: Final = Path("imagenet2012_subset/1pct/5.0.0")
_FORMATS: Final = (
    "array_record",
    "parquet",
    "webdataset",
    "tfrecord,array_record",
    "tfrecord,parquet",
    "tfrecord,array_record,parquet,webdataset",
)


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds 1pct from archives, as a user would.

    Attributes:
        archives: The directory of the archives.
        arguments: Of the benchmark.
    """

    archives: Path
    arguments: argparse.Namespace

    @property
    def ours(self) -> Path:
        """The directory of datasets."""
        work: Path = self.arguments.work
        return work / "ours"

    @property
    def log(self) -> Path:
        """The file that gets what commands print."""
        work: Path = self.arguments.work
        return work / "log.txt"

    @property
    def images(self) -> int:
        """Number of images of a build."""
        return images_of_1pct(self.arguments.scale)

    def build(
        self,
        flags: Sequence[str] = (),
        settings: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        *,
        keep_index: bool = True,
    ) -> Measurement:
        """Builds once, in an empty directory.

        Args:
            flags: Of the command.
            settings: What is set in the configuration, as ``--set`` has it.
            environment: Variables that are set.
            keep_index: Whether the saved index of an earlier build is used.
        """
        datasets = [path for path in self.ours.glob("*") if path.name != "downloads"]
        tidy(self.arguments, *(datasets if keep_index else [self.ours]))
        command: list[str | Path] = [sys.executable, "-m", "beam_pipeline.run"]
        command += ["--config", "1pct", "--manual_dir", self.archives]
        command += ["--data_dir", self.ours, *flags]
        command += [*stated_numbers(self.arguments.scale), *settings]
        return measure(command, self.log, environment)


def build_cases(builder: Builder) -> Iterator[Case]:
    """Yields builds of TFRecord: with an index and without, and by what they hash."""
    group, images = "Builds", builder.images

    def no_index() -> Measurement:
        return builder.build(keep_index=False)

    def few() -> Measurement:
        return builder.build(["--max_examples_per_split", str(FEW_IMAGES // 2)])

    def no_sha() -> Measurement:
        return builder.build(environment=NO_SHA)

    def sha256() -> Measurement:
        return builder.build(["--checksum", "sha256"])

    def sha256_no_sha() -> Measurement:
        return builder.build(["--checksum", "sha256"], environment=NO_SHA)

    yield Case(group, "no index", images, no_index, rate_of=("TFDS",))
    yield Case(group, SAVED, images, builder.build, time_of=("cp",), rate_of=("TFDS",))
    yield Case(group, FEW, FEW_IMAGES, few)
    yield Case(group, "--checksum sha256", images, sha256, time_of=(SAVED,))
    if has_sha():
        yield Case(group, "sha_ni hidden", images, no_sha, time_of=(SAVED,))
        name = "--checksum sha256, sha_ni hidden"
        yield Case(group, name, images, sha256_no_sha, time_of=(SAVED,))


def others(builder: Builder) -> Iterator[Case]:
    """Yields what builds are compared with: a copy of the dataset, and TFDS."""
    arguments, images = builder.arguments, builder.images
    copy, theirs = arguments.work / "copy", arguments.work / "tfds"

    def cp() -> Measurement:
        tidy(arguments, copy)
        measured = measure(["cp", "-r", builder.ours / _DATASET, copy], builder.log)
        shutil.rmtree(copy)  # its pages would push the archives' out of the cache
        return measured

    def tfds() -> Measurement:
        tidy(arguments, theirs)
        python = ROOT / ".venv-parity" / "bin" / "python"
        script = ROOT / "tests" / "suites" / "parity" / "build_with_tfds.py"
        command: list[str | Path] = [python, script, "--config", "1pct"]
        command += ["--manual_dir", builder.archives, "--data_dir", theirs]
        measured = measure(command, builder.log)
        shutil.rmtree(theirs)
        return measured

    yield Case("Builds", "cp", images, cp)
    yield Case("Builds", "TFDS", images, tfds, once=True)


def format_cases(builder: Builder, formats: Sequence[str] = _FORMATS) -> Iterator[Case]:
    """Yields builds of other formats, and of several."""
    for name in formats:

        def run(name: str = name) -> Measurement:
            return builder.build(["--format", name])

        rate_of = ("datasets",) if name == "parquet" else ()
        yield Case("Formats", name, builder.images, run, (SAVED,), rate_of)


def process_cases(builder: Builder) -> Iterator[Case]:
    """Yields builds by worker processes in place of threads, one for each core."""
    flags = ["--direct_running_mode", "multi_processing"]
    flags += ["--direct_num_workers", str(available_cores())]

    def run() -> Measurement:
        return builder.build(flags)

    def array_record() -> Measurement:
        return builder.build([*flags, "--format", "array_record"])

    yield Case("Processes", "processes", builder.images, run, (SAVED,))
    name = "processes, array_record"
    threads = ("array_record",)
    yield Case("Processes", name, builder.images, array_record, threads)


def datasets_case(builder: Builder) -> Case:
    """Returns the job of ``parquet``, done by ``datasets``."""
    theirs = builder.arguments.work / "datasets"

    def run() -> Measurement:
        tidy(builder.arguments, theirs)
        python = ROOT / ".venv-loaders" / "bin" / "python"
        script = ROOT / "benchmarks" / "parquet_with_datasets.py"
        measured = measure([python, script, builder.archives, theirs], builder.log)
        shutil.rmtree(theirs)
        return measured

    return Case("Formats", "datasets", builder.images, run, once=True)
