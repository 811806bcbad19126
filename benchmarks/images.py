"""Times ``resize`` and ``reencode`` against a bare loop of the codecs and img2dataset.

All images of 1pct, as many as the archives have, with a saved index. The loop has them
in memory, and does with one thread a core what the policy does, without an archive,
without a shard, and without waiting for Python to start: its rate is the limit. A
build's rate, and img2dataset's, are those of the whole command. img2dataset gets the
images as files.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.measure import (
    ROOT,
    find_archives,
    make_parser,
    measure,
    stated_numbers,
    tidy,
)
from transforms.images.policy import ImagePolicy
from transforms.images.treatment import treat_image

_POLICIES: Final = {
    "resize": ImagePolicy(policy="resize", shortest_side=256, quality=90),
    "reencode": ImagePolicy(policy="reencode", quality=90),
}
# Images of the loop. They are drawn by lot: the archives repeat their photos, and of
# every sixteenth image a few photos are most.
_IN_MEMORY: Final = 4000


def main() -> int:
    """Runs the benchmark as the command line says; returns the exit code."""
    arguments = make_parser(__doc__).parse_args()
    archives = find_archives(arguments)
    files = _extract(archives, arguments.work / f"files-{arguments.scale}")
    rates: dict[str, list[float]] = {}
    _build("resize", archives, arguments)  # saves the index
    for _ in range(arguments.rounds):
        for name, policy in _POLICIES.items():
            loop = _loop(policy, files)
            rates.setdefault(f"{name}, loop", []).append(loop)
            build = len(files) / _build(name, archives, arguments)
            rates.setdefault(f"{name}, build", []).append(build)
        theirs = len(files) / _img2dataset(files, arguments)
        rates.setdefault("img2dataset", []).append(theirs)
    _print(rates, len(files))
    return 0


def _extract(archives: Path, directory: Path) -> list[Path]:
    """Returns files with the images that a build of 1pct takes; writes them once."""
    if not directory.is_dir():
        listed = set((archives / "1percent.txt").read_text().split())
        unfinished = directory.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name, data in _members(archives):
            if name in listed or "_val_" in name:
                (unfinished / name).write_bytes(data)
        unfinished.rename(directory)
    return sorted(directory.iterdir())


def _members(archives: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archives / "ILSVRC2012_img_train.tar", "r:") as outer:
        for container in outer:
            inner = outer.extractfile(container)
            with tarfile.open(fileobj=inner, mode="r:") as tar:
                yield from _files(tar)
    with tarfile.open(archives / "ILSVRC2012_img_val.tar", "r:") as tar:
        yield from _files(tar)


def _files(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        file = tar.extractfile(member)
        assert file is not None
        yield member.name, file.read()


def _loop(policy: ImagePolicy, files: list[Path]) -> float:
    """Returns images per second of the codecs alone."""
    drawn = random.Random(0).sample(files, min(_IN_MEMORY, len(files)))
    images = [path.read_bytes() for path in drawn]
    start = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda data: treat_image(data, policy), images):
            pass
    return len(images) / (time.monotonic() - start)


def _build(name: str, archives: Path, arguments: argparse.Namespace) -> float:
    """Returns the seconds that a build takes."""
    ours = arguments.work / "ours"
    tidy(arguments, ours / "imagenet2012_subset")
    policy = _POLICIES[name]
    values = [f"images.policy={policy.policy}", f"images.quality={policy.quality}"]
    if policy.shortest_side:
        values.append(f"images.shortest_side={policy.shortest_side}")
    command: list[str | Path] = [sys.executable, "-m", "beam_pipeline.run"]
    command += ["--config", "1pct", "--manual_dir", archives, "--data_dir", ours]
    command += stated_numbers(arguments.scale)
    return measure([*command, "--set", *values], arguments.work / "log.txt").seconds


def _img2dataset(files: list[Path], arguments: argparse.Namespace) -> float:
    """Returns the seconds that img2dataset takes for the same sizes."""
    theirs = arguments.work / "img2dataset"
    tidy(arguments, theirs)
    urls = arguments.work / "urls.txt"
    urls.write_text("".join(f"file://{path.absolute()}\n" for path in files))
    command: list[str | Path] = [
        ROOT / ".venv-bench" / "bin" / "img2dataset",
        *("--url_list", urls, "--output_folder", theirs),
        *("--output_format", "webdataset", "--image_size", "256"),
        *("--resize_mode", "keep_ratio", "--resize_only_if_bigger", "True"),
        *("--encode_quality", "90", "--enable_wandb", "False"),
        *("--processes_count", str(os.cpu_count()), "--thread_count", "8"),
        *("--number_sample_per_shard", "1000"),
    ]
    seconds = measure(command, arguments.work / "log.txt").seconds
    done = subprocess.run(
        f"cat {theirs}/*.tar | tar -tif - | grep -c jpg$",
        shell=True,
        check=True,
        capture_output=True,
    )
    if int(done.stdout) != len(files):
        raise SystemExit(f"error: img2dataset made {int(done.stdout)} images")
    return seconds


def _print(rates: dict[str, list[float]], images: int) -> None:
    table = Table(title=f"{images:,} images, median of the rounds")
    table.add_column("work")
    for column in ("images/s", "of the loop", "x img2dataset"):
        table.add_column(column, justify="right")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        work = name.partition(",")[0]
        loop = medians.get(f"{work}, loop")
        table.add_row(
            name,
            f"{rate:.0f}",
            f"{rate / loop:.2f}" if loop else "",
            f"{rate / medians['img2dataset']:.2f}" if "resize" in name else "",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main())
