"""Makes small ILSVRC-shaped archives: ``python -m beam_pipeline.demo DIR``.

The real archives are not available without registering, so the demo and the tests draw
their own: a tar of one tar per class, a flat validation tar and a subset list, with the
real names and the oddities of the real ones among them. The same seed draws the same
pictures.
"""

import argparse
import io
import random
import shlex
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from beam_pipeline.config import load_config
from beam_pipeline.demo_forms import OTHER_FORMS, change_form
from transforms.planning import LabelFile, read_class_names, read_label_file

TRAIN_ARCHIVE: Final = "ILSVRC2012_img_train.tar"
VALIDATION_ARCHIVE: Final = "ILSVRC2012_img_val.tar"
SUBSET_LIST: Final = "demo.txt"

# What the first pictures of every fifth class are instead of an RGB JPEG.
ODDITIES: Final = ("cmyk", "grey", "png", "rotated")

_VALIDATION_NAME: Final = "ILSVRC2012_val_{:08d}.JPEG"
_MODIFIED: Final = 1339522334  # any moment will do, but always the same
_CLASSES: Final = 1000
_MOST: Final = 50_000  # images, as many as the labels of the validation split tell
_ORIENTATION_TAG: Final = 0x0112
_ROTATED: Final = 6  # show turned a quarter to the right


@dataclass(frozen=True, slots=True)
class DemoShape:
    """How much to make.

    Attributes:
        classes: Number of classes, spread over the 1000.
        per_class: Training images of each.
        listed: How many of those the subset list names.
        validation: Number of validation images.
        width: Width of most pictures in pixels; the height is three quarters of it.
        varied: Whether others have other sizes, shapes and qualities, one training
            image is none, and one is a validation image too.
        seed: Decides the pictures and every order.
    """

    classes: int = 20
    per_class: int = 30
    listed: int = 15
    validation: int = 200
    width: int = 400
    varied: bool = True
    seed: int = 0


def make_archives(directory: Path, shape: DemoShape) -> None:
    """Writes the training archive, the validation archive and the subset list.

    Args:
        directory: Where to; made if it is not there.
        shape: How much to make.
    """
    directory.mkdir(parents=True, exist_ok=True)
    config = load_config("demo", {}, {})
    class_names = read_class_names(config.class_names)
    label_file = config.splits["validation"].labels
    assert isinstance(label_file, LabelFile)
    listed_labels = read_label_file(label_file, class_names).listed
    labels = dict(zip(*listed_labels.to_pydict().values(), strict=True))
    rng = random.Random(shape.seed)
    step = len(class_names) // shape.classes
    wnids = [class_names[i * step] for i in range(shape.classes)]

    listed: list[str] = []
    with _new_tar(directory / TRAIN_ARCHIVE) as outer:
        for position, wnid in enumerate(rng.sample(wnids, len(wnids))):
            numbers = rng.sample(range(1, 30_000), shape.per_class)
            names = [f"{wnid}_{number}.JPEG" for number in numbers]
            listed += names[: shape.listed]
            odd = dict(zip(names, ODDITIES, strict=False)) if position % 5 == 0 else {}
            label = class_names.index(wnid)
            special = _special(shape, names, labels) if position == 0 else {}
            buffer = io.BytesIO()
            with _new_tar(buffer) as inner:
                for name in rng.sample(names, len(names)):
                    data = special.get(name) or _draw(label, name, shape, odd.get(name))
                    _add(inner, name, data)
            _add(outer, f"{wnid}.tar", buffer.getvalue())
    order = rng.sample(range(1, shape.validation + 1), shape.validation)
    with _new_tar(directory / VALIDATION_ARCHIVE) as flat:
        for position, number in enumerate(order):
            name = _VALIDATION_NAME.format(number)
            # As in the real split: grey ones and rotated ones, and nothing to repair.
            oddity = {1: "grey", 3: "rotated"}.get(position % 20)
            if shape.varied and number == 1:
                oddity = None  # this one is in the training archive too
            _add(flat, name, _draw(labels[name], name, shape, oddity))
    rng.shuffle(listed)
    (directory / SUBSET_LIST).write_text("".join(f"{name}\n" for name in listed))


def _special(
    shape: DemoShape, names: Sequence[str], labels: Mapping[str, int]
) -> dict[str, bytes]:
    """Returns images of a class that are none of it: a bad one, and a duplicate."""
    after = names[len(ODDITIES) : shape.listed]
    if not shape.varied or len(after) < 2 or not shape.validation:
        return {}
    twin = _VALIDATION_NAME.format(1)
    return {
        after[0]: b"<html>404 Not Found</html>\n",
        after[1]: _draw(labels[twin], twin, shape, None),
    }


def _draw(label: int, name: str, shape: DemoShape, oddity: str | None) -> bytes:
    """Returns the picture of a name."""
    seed = f"{shape.seed}/{name}"
    if not shape.varied:
        return draw(label, seed, shape.width, oddity)
    choice = random.Random(f"shape/{seed}")
    # Most are of one size, as photos of a few cameras are; a few are far off.
    scale = choice.choices((1, choice.uniform(0.2, 1.6)), (2, 3))[0]
    ratio = choice.choices((0.75, 4 / 3, 1, choice.uniform(0.3, 2.5)), (5, 2, 1, 2))[0]
    width = max(8, round(shape.width * scale * min(1, 0.75 / ratio) ** 0.5))
    return draw(
        *(label, seed, width, oddity),
        height=max(8, round(width * ratio)),
        quality=choice.choice((95, 90, 90, 85, 75, 60, 40)),
    )


def draw(
    label: int,
    seed: str,
    width: int,
    oddity: str | None,
    *,
    height: int | None = None,
    quality: int = 90,
) -> bytes:
    """Returns an encoded picture, about as large in bytes as a photo of its size.

    Args:
        label: Class number; decides the hue.
        seed: Decides the rest.
        width: Width in pixels.
        oddity: One of ``ODDITIES``; None for an RGB JPEG.
        height: Height in pixels; None for three quarters of the width.
        quality: Of the JPEG, on libjpeg's scale.
    """
    rng = np.random.default_rng(list(seed.encode()))
    size = (width, width * 3 // 4 if height is None else height)
    hue = np.array([label * 97 % 256, label * 57 % 256, label * 31 % 256])
    coarse = np.clip(hue + rng.integers(-90, 90, (6, 8, 3)), 0, 255).astype(np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = int(rng.integers(0, size[0])), int(rng.integers(0, size[1]))
        radius = int(rng.integers(width // 20, max(width // 5, width // 20 + 1)))
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    pen.text((8, 8), f"class {label}", fill="white")
    grain = rng.integers(-25, 26, (size[1], size[0], 1))
    pixels = np.clip(np.asarray(image, dtype=np.int16) + grain, 0, 255).astype(np.uint8)
    return _encode(Image.fromarray(pixels), oddity, quality)


def _encode(image: Image.Image, oddity: str | None, quality: int) -> bytes:
    encoded = io.BytesIO()
    if oddity == "png":
        image.save(encoded, "PNG")
        return encoded.getvalue()
    exif = Image.Exif()
    if oddity == "rotated":
        exif[_ORIENTATION_TAG] = _ROTATED
    mode = {"cmyk": "CMYK", "grey": "L"}.get(oddity or "", "RGB")
    image.convert(mode).save(encoded, "JPEG", quality=quality, exif=exif)
    return encoded.getvalue()


def _new_tar(target: Path | io.BytesIO) -> tarfile.TarFile:
    if isinstance(target, Path):
        return tarfile.open(target, "w", format=tarfile.GNU_FORMAT)
    return tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(data), _MODIFIED
    tar.addfile(info, io.BytesIO(data))


def main(argv: Sequence[str]) -> int:
    """Makes the archives as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m beam_pipeline.demo",
        description="Makes small ILSVRC-shaped archives from generated pictures.",
    )
    parser.add_argument("directory", type=Path, help="where to put them")
    shape = DemoShape()
    parser.add_argument(
        "--seed",
        type=int,
        default=shape.seed,
        metavar="N",
        help="decides the pictures and their order (default: %(default)s)",
    )
    parser.add_argument(
        "--train",
        type=_number,
        default=shape.classes * shape.per_class,
        metavar="N",
        help="training images, half of which the list names (default: %(default)s)",
    )
    parser.add_argument(
        "--validation",
        type=_number,
        default=shape.validation,
        metavar="N",
        help="validation images (default: %(default)s)",
    )
    parser.add_argument(
        "--form",
        choices=OTHER_FORMS,
        help="pack them in another form than the originals'",
    )
    arguments = parser.parse_args(argv)
    wanted = shape_of(arguments.train, arguments.validation, arguments.seed)
    directory = arguments.directory
    make_archives(directory, wanted)
    if arguments.form:
        originals = (directory / TRAIN_ARCHIVE, directory / VALIDATION_ARCHIVE)
        change_form(*originals, arguments.form)
    for path in sorted(directory.iterdir()):
        files = [file for file in (path, *path.rglob("*")) if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        print(f"{path}: {size:,} bytes" + (f" in {len(files):,} files" * path.is_dir()))
    print(f"Build it: {shlex.join(build_command(directory, wanted))}")
    return 0


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to {_MOST:,}")
    return int(text)


def shape_of(train: int, validation: int, seed: int) -> DemoShape:
    """Returns how many classes of how many images make about so many.

    Args:
        train: Training images; the next number that fills every class is made.
        validation: Validation images.
        seed: Decides the pictures and every order.
    """
    shape = DemoShape()
    classes = min(_CLASSES, max(1, train // shape.per_class))
    per_class = -(-train // classes)
    return DemoShape(classes, per_class, -(-per_class // 2), validation, seed=seed)


def build_command(directory: Path, shape: DemoShape) -> list[str]:
    """Returns the command that builds from archives of a shape."""
    command = [
        *(_interpreter(), "-m", "beam_pipeline.run", "--config", "demo"),
        *("--manual_dir", str(directory)),
    ]
    if replace(shape, seed=0) == DemoShape():
        return command
    listed = shape.classes * shape.listed
    shards = min(listed, shape.validation)
    return [
        *command,
        *("--num_shards", f"train={min(4, shards)}", f"validation={min(2, shards)}"),
        *("--set", f"splits.train.members={shape.classes * shape.per_class}"),
        f"splits.train.examples={listed}",
        f"splits.validation.members={shape.validation}",
        f"splits.validation.examples={shape.validation}",
    ]


def _interpreter() -> str:
    """Returns what runs this, as a shell here finds it: nobody has to activate."""
    path = Path(sys.executable)
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
