"""Makes the archives that TFDS and this project both build from.

They have the layout and the member names of the real ones, photos for some of the
members, and for the rest small pictures made of those photos, no two alike: only
what is decoded and compared has to weigh something.
"""

import io
import os
import random
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
import simplejpeg
from PIL import Image

from beam_pipeline.demo import TRAIN_ARCHIVE, VALIDATION_ARCHIVE

VALIDATION_IMAGES: Final = 50_000  # TFDS shifts every label behind a missing one
CMYK_NAMES: Final = ("n02447366_23489.JPEG", "n07583066_647.JPEG")
PNG_NAME: Final = "n02105855_2933.JPEG"  # on neither list

# Classes of the cut of the 10 % list: those with the odd images, and four more.
CUT: Final = (
    "n01440764",
    "n02105855",
    "n02447366",
    "n03837869",
    "n07583066",
    "n15075141",
)
_PHOTOS_PER_CLASS: Final = 6  # of the classes that have one: about 1,200, 130 MB
_PHOTO_EVERY: Final = 250  # of the validation images
_SIZES: Final = {"train": (64, 48), "validation": (32, 24)}


@dataclass(frozen=True, slots=True)
class Photos:
    """Real photos, one for each of some classes.

    Attributes:
        by_class: Encoded photo by WordNet id.
        small: Each photo's pixels by split, shrunk to that split's size.
    """

    by_class: dict[str, bytes]
    small: dict[str, list[np.ndarray]]

    def real(self, wnid: str, name: str) -> bytes:
        """Returns a class's photo with a comment that tells it from its copies."""
        comment = name.encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        photo = self.by_class[wnid]
        return photo[:2] + segment + photo[2:]

    def drawn(self, split: str, number: int) -> bytes:
        """Returns a small picture; every number gives another one."""
        shift, position = divmod(number, len(self.small[split]))
        pixels = self.small[split][position] + np.uint8(shift)
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "JPEG", quality=90)
        return encoded.getvalue()


def load_photos(directory: Path) -> Photos:
    """Returns the photos of a directory, named ``<WordNet id>_<words>.JPEG``."""
    by_class = {
        path.name.partition("_")[0]: path.read_bytes()
        for path in sorted(directory.glob("*.JPEG"))
    }
    images = [Image.open(io.BytesIO(photo)) for photo in by_class.values()]
    small = {
        split: [np.asarray(image.resize(size)) for image in images]
        for split, size in _SIZES.items()
    }
    return Photos(by_class, small)


def make_one_percent(directory: Path, data: Path, photos: Photos) -> None:
    """Makes archives that have every image of the 1 % list, and some others."""
    rng = random.Random(1)
    by_class = _by_class(_copy_list(data / "1percent.txt", directory))
    numbers = count()
    with tarfile.open(directory / TRAIN_ARCHIVE, "w") as outer:
        for wnid in rng.sample(sorted(by_class), len(by_class)):
            names = rng.sample(by_class[wnid], len(by_class[wnid]))
            bodies = {
                name: photos.real(wnid, name)
                if wnid in photos.by_class and position < _PHOTOS_PER_CLASS
                else photos.drawn("train", next(numbers))
                for position, name in enumerate(names)
            }
            bodies[f"{wnid}_99999.JPEG"] = photos.drawn("train", next(numbers))
            _add_class(outer, wnid, bodies, rng)
    _make_validation(directory / VALIDATION_ARCHIVE, photos, rng)


def make_ten_percent_cut(
    directory: Path, data: Path, photos: Photos, validation: Path
) -> None:
    """Makes archives that have the images of six classes of the 10 % list.

    Two of them are the list's CMYK images. The PNG, which the list does not name, is
    there as well.
    """
    rng = random.Random(10)
    by_class = _by_class(_copy_list(data / "10percent.txt", directory))
    numbers = count()
    with tarfile.open(directory / TRAIN_ARCHIVE, "w") as outer:
        for wnid in rng.sample(CUT, len(CUT)):
            names = rng.sample(by_class[wnid], len(by_class[wnid]))
            bodies = {name: photos.drawn("train", next(numbers)) for name in names}
            bodies[f"{wnid}_99999.JPEG"] = photos.drawn("train", next(numbers))
            _add_class(outer, wnid, bodies | _odd_images(wnid, photos), rng)
    os.link(validation, directory / VALIDATION_ARCHIVE)


def cmyk_pixels(photo: bytes, size: tuple[int, int] | None = None) -> Image.Image:
    """Returns a photo in CMYK, of another size if one is given."""
    image = Image.open(io.BytesIO(photo)).convert("CMYK")
    return image.resize(size) if size else image


def cmyk_jpeg(image: Image.Image, **options: int) -> bytes:
    """Returns a CMYK JPEG with Adobe's mark, as Pillow writes it."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", **{"quality": 95, **options})
    return encoded.getvalue()


def ycck_jpeg(image: Image.Image, subsampling: str) -> bytes:
    """Returns a YCCK JPEG with Adobe's mark, which is what Photoshop writes."""
    stored = 255 - np.asarray(image)
    data: bytes = simplejpeg.encode_jpeg(stored, 95, "CMYK", subsampling)
    return data


def _odd_images(wnid: str, photos: Photos) -> dict[str, bytes]:
    plain, odd = CMYK_NAMES
    pool = list(photos.by_class.values())
    if plain.startswith(wnid):
        return {plain: cmyk_jpeg(cmyk_pixels(pool[0]))}
    if odd.startswith(wnid):
        return {odd: ycck_jpeg(cmyk_pixels(pool[1], (1201, 799)), "420")}
    if PNG_NAME.startswith(wnid):
        encoded = io.BytesIO()
        Image.open(io.BytesIO(pool[2])).save(encoded, "PNG")
        return {PNG_NAME: encoded.getvalue()}
    return {}


def _copy_list(source: Path, directory: Path) -> list[str]:
    shutil.copyfile(source, directory / source.name)
    return source.read_text().split()


def _by_class(names: list[str]) -> dict[str, list[str]]:
    by_class: dict[str, list[str]] = {}
    for name in sorted(names):
        by_class.setdefault(name.partition("_")[0], []).append(name)
    return by_class


def _add_class(
    outer: tarfile.TarFile, wnid: str, bodies: dict[str, bytes], rng: random.Random
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as inner:
        for member in _no_images(wnid):
            inner.addfile(member)
        for name in rng.sample(sorted(bodies), len(bodies)):
            _add(inner, name, bodies[name])
    _add(outer, f"{wnid}.tar", buffer.getvalue())


def _no_images(wnid: str) -> Iterator[tarfile.TarInfo]:
    """Yields what neither side writes: a directory, a link, an editor's leftover."""
    if wnid == "n01440764":
        directory = tarfile.TarInfo("extra")
        directory.type = tarfile.DIRTYPE
        link = tarfile.TarInfo(f"{wnid}_99998.JPEG")
        link.type, link.linkname = tarfile.SYMTYPE, f"{wnid}_99999.JPEG"
        yield from (directory, link, tarfile.TarInfo(f"._{wnid}_1.JPEG"))


def _make_validation(path: Path, photos: Photos, rng: random.Random) -> None:
    classes = list(photos.by_class)
    with tarfile.open(path, "w") as archive:
        for number in rng.sample(range(1, VALIDATION_IMAGES + 1), VALIDATION_IMAGES):
            name = f"ILSVRC2012_val_{number:08d}.JPEG"
            if number % _PHOTO_EVERY == 0:
                wnid = classes[number // _PHOTO_EVERY % len(classes)]
                _add(archive, name, photos.real(wnid, name))
            else:
                _add(archive, name, photos.drawn("validation", number))


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
