"""Small archives of the layouts that ImageNet's siblings are published in.

Each row names a configuration of ours, the dataset of TFDS's that it equals, and makes
the archives that both build from: a dozen images under the names of the real ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.helpers.archives import image, nested_tar, tar

_CONFIGS: Final = Path(__file__).parents[3] / "configs"
WNIDS: Final = (_CONFIGS / "imagenet2012" / "labels.txt").read_text().split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One dataset, as our flags say it and as TFDS does.

    Attributes:
        name: What TFDS calls it.
        config: What we call it; the same if empty.
        make: Writes its archives into a directory.
        flags: Flags of ours, for archives that are smaller than the published ones.
        urls: Files of the archives by the address that TFDS gets them from.
    """

    name: str
    make: Callable[[Path], None]
    config: str = ""
    flags: tuple[str, ...] = ()
    urls: Mapping[str, str] = field(default_factory=dict)


def _unstated(*keys: str) -> tuple[str, ...]:
    """Returns flags that state nothing of numbers that the real archives have."""
    return ("--set", *(f"splits.{key}=null" for key in keys))


def _numbers(*splits: str) -> tuple[str, ...]:
    keys = ("members", "examples", "classes")
    return tuple(f"{split}.{key}" for split in splits for key in keys)


def _make_ilsvrc(directory: Path) -> None:
    """Writes the archives of ILSVRC 2012, of four classes."""
    classes = {
        wnid: [(f"{wnid}_{n}.JPEG", image(5 * row + n)) for n in range(4)]
        for row, wnid in enumerate((*WNIDS[:3], WNIDS[-1]))
    }
    flat = {"val": range(1, 11), "test": range(1, 8)}
    (directory / "ILSVRC2012_img_train.tar").write_bytes(nested_tar(classes))
    for split, numbers in flat.items():
        members = [
            (f"ILSVRC2012_{split}_{number:08d}.JPEG", image(100 + number))
            for number in numbers
        ]
        (directory / f"ILSVRC2012_img_{split}.tar").write_bytes(tar(members))


_VALIDATION: Final = "validation.labels.images"

ROWS: Final = (
    Row(
        name="imagenet2012",
        make=_make_ilsvrc,
        flags=_unstated(*_numbers("train", "validation", "test"), _VALIDATION),
    ),
)
