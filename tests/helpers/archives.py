"""Archives made member by member, and builds of them through the command line."""

import io
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from beam_pipeline.demo import SUBSET_LIST, TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from beam_pipeline.run import main

TEST_ARCHIVE = "ILSVRC2012_img_test.tar"
PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Outcome:
    """What a command gave back."""

    code: int
    out: str
    err: str


def run(*argv: object) -> Outcome:
    """Runs ``beam_pipeline.run`` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([str(argument) for argument in argv])
        except SystemExit as stop:  # argparse's way to refuse a command line
            code = int(stop.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue())


def build(manual_dir: Path, data_dir: Path, *flags: object) -> Outcome:
    """Builds the demo configuration from archives in a directory, of their numbers.

    One worker thread, for it starts sooner than several and these builds are small.
    """
    return run(
        *("--config", "demo", "--manual_dir", manual_dir, "--data_dir", data_dir),
        *(*stated(manual_dir), "--direct_num_workers=1", "--max_rejects=0", *flags),
    )


def stated(manual_dir: Path) -> tuple[str, ...]:
    """Returns flags that state how many images archives and lists in a directory have.

    The demo configuration states the numbers of the archives that the demo makes. Of an
    archive that Python can't read nothing is stated.
    """
    numbers = {
        "train.members": _count(_nested_names, manual_dir / TRAIN_ARCHIVE),
        "train.examples": _count(_lines, manual_dir / SUBSET_LIST),
    }
    for split, name in (("validation", VALIDATION_ARCHIVE), ("test", TEST_ARCHIVE)):
        number = _count(_flat_names, manual_dir / name)
        numbers |= {f"{split}.members": number, f"{split}.examples": number}
    return ("--set", *(f"splits.{key}={number}" for key, number in numbers.items()))


def _count(names: Callable[[Path], list[str]], path: Path) -> str:
    try:
        return str(len(names(path)) or "null")
    except (OSError, tarfile.TarError, ValueError):
        return "null"


def _flat_names(path: Path, data: bytes | None = None) -> list[str]:
    with tarfile.open(path, fileobj=None if data is None else io.BytesIO(data)) as tar:
        names = [member.name for member in tar if _is_file(tar, member)]
    return [
        name
        for name in names
        if not name.rpartition("/")[2].startswith(".")
        and not name.startswith(("/", "__MACOSX"))
        and not name.endswith("~")
    ]


def _is_file(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
    """Returns whether a member is a file, or a link to one of the tar."""
    try:
        return tar.extractfile(member) is not None
    except KeyError:
        return False


def _nested_names(path: Path) -> list[str]:
    with tarfile.open(path) as outer:
        inner = [outer.extractfile(member) for member in outer if member.isfile()]
        return [
            name for file in inner if file for name in _flat_names(path, file.read())
        ]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def dataset_dir(data_dir: Path, config: str = "demo", version: str = "5.0.0") -> Path:
    """Returns where a dataset goes."""
    return data_dir / "imagenet2012_subset" / config / version


def image(
    number: int, mode: str = "RGB", kind: str = "JPEG", side: int | None = None
) -> bytes:
    """Returns an encoded image, a small one; another number gives another one."""
    value = number * 37 % 256
    colour = value if mode == "L" else (value, 90, 255 - value, 40)[: len(mode)]
    encoded = io.BytesIO()
    size = (16 + number % 5, 12) if side is None else (side, side)
    Image.new(mode, size, colour).save(encoded, kind)
    return encoded.getvalue()


def tar(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Returns a tar of files; a name may occur twice."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def nested_tar(classes: Mapping[str, Sequence[tuple[str, bytes]]]) -> bytes:
    """Returns a tar of one tar per class."""
    return tar((f"{name}.tar", tar(members)) for name, members in classes.items())


def write_archives(
    directory: Path,
    *,
    train: bytes | None = None,
    validation: bytes | None = None,
    listed: Sequence[str] | None = None,
) -> Path:
    """Writes the given files under the names that the demo configuration knows."""
    directory.mkdir(parents=True, exist_ok=True)
    if train is not None:
        (directory / TRAIN_ARCHIVE).write_bytes(train)
    if validation is not None:
        (directory / VALIDATION_ARCHIVE).write_bytes(validation)
    if listed is not None:
        (directory / SUBSET_LIST).write_text("".join(f"{name}\n" for name in listed))
    return directory


def few_archives(directory: Path) -> Path:
    """Writes archives of two classes with an image each, and three for validation."""
    return write_archives(
        directory, train=nested_tar(CLASSES), validation=tar(FLAT), listed=LISTED
    )


CLASSES = {
    "n01440764": [("n01440764_1.JPEG", image(1))],
    "n01443537": [("n01443537_1.JPEG", image(2))],
}
LISTED = ["n01440764_1.JPEG", "n01443537_1.JPEG"]
FLAT = [(f"ILSVRC2012_val_{number:08d}.JPEG", image(number)) for number in (3, 1, 2)]

# In place of the demo configuration's numbers, which suit larger archives.
SIZES_DECIDE = ("--set", "num_shards={}")
