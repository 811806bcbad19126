"""The cases of ``make bench`` that decode images: builds, bare loops, img2dataset.

A loop has its images in memory, and does with one thread a core what the policy does,
without an archive, without a shard, and without waiting for Python to start: its rate
is the limit. A build's, and img2dataset's, are those of the whole command. img2dataset
gets the images as files.
"""

import random
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.builds import Builder
from benchmarks.measure import ROOT, Measurement, measure, tidy
from benchmarks.table import Case
from transforms.cores import available_cores
from transforms.images.policy import ImagePolicy
from transforms.images.treatment import treat_image

POLICIES: Final = {
    "resize": ImagePolicy(policy="resize", shortest_side=256, quality=90),
    "reencode": ImagePolicy(policy="reencode", quality=90),
}
# Images of the loop. They are drawn by lot: the archives repeat their photos, and of
# every sixteenth image a few photos are most.
_IN_MEMORY: Final = 4000


def image_cases(builder: Builder) -> Iterator[Case]:
    """Yields a loop and a build for each policy that decodes."""
    files = _extract(builder)
    for name, policy in POLICIES.items():

        def loop(policy: ImagePolicy = policy) -> Measurement:
            return _loop(policy, files)

        def build(name: str = name, policy: ImagePolicy = policy) -> Measurement:
            settings = [f"images.policy={name}", f"images.quality={policy.quality}"]
            if policy.shortest_side:
                settings.append(f"images.shortest_side={policy.shortest_side}")
            return builder.build(settings=settings)

        in_loop = f"{name}, loop"
        yield Case("Images", in_loop, min(_IN_MEMORY, len(files)), loop)
        rate_of = (in_loop, "img2dataset") if name == "resize" else (in_loop,)
        yield Case("Images", f"{name}, build", builder.images, build, rate_of=rate_of)


def img2dataset_case(builder: Builder) -> Case:
    """Returns the job of ``resize``, done by img2dataset."""
    files = _extract(builder)

    def run() -> Measurement:
        return _img2dataset(files, builder)

    return Case("Images", "img2dataset", len(files), run, once=True)


def _extract(builder: Builder) -> list[Path]:
    """Returns files with the images that a build of 1pct takes; writes them once."""
    arguments, archives = builder.arguments, builder.archives
    directory: Path = arguments.work / f"files-{arguments.scale}"
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


def _loop(policy: ImagePolicy, files: list[Path]) -> Measurement:
    """Measures the codecs alone."""
    drawn = random.Random(0).sample(files, min(_IN_MEMORY, len(files)))
    images = [path.read_bytes() for path in drawn]
    start, before = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(available_cores()) as pool:
        for _ in pool.map(lambda data: treat_image(data, policy), images):
            pass
    return Measurement(time.monotonic() - start, time.process_time() - before)


def _img2dataset(files: list[Path], builder: Builder) -> Measurement:
    theirs = builder.arguments.work / "img2dataset"
    tidy(builder.arguments, theirs)
    urls = builder.arguments.work / "urls.txt"
    urls.write_text("".join(f"file://{path.absolute()}\n" for path in files))
    command: list[str | Path] = [
        ROOT / ".venv-bench" / "bin" / "img2dataset",
        *("--url_list", urls, "--output_folder", theirs),
        *("--output_format", "webdataset", "--image_size", "256"),
        *("--resize_mode", "keep_ratio", "--resize_only_if_bigger", "True"),
        *("--encode_quality", "90", "--enable_wandb", "False"),
        *("--processes_count", str(available_cores())),
        *("--thread_count", "8", "--number_sample_per_shard", "1000"),
    ]
    measured = measure(command, builder.log)
    done = subprocess.run(
        f"cat {theirs}/*.tar | tar -tif - | grep -c jpg$",
        shell=True,
        check=True,
        capture_output=True,
    )
    if int(done.stdout) != len(files):
        raise SystemExit(f"error: img2dataset made {int(done.stdout)} images")
    shutil.rmtree(theirs)
    return measured
