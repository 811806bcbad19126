"""Small archives of the layouts that ImageNet's siblings are published in.

Each row names a configuration of ours, the dataset of TFDS's that it equals, and makes
the archives that both build from: a dozen images under the names of the real ones.
"""

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zipfile import ZipFile

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


def _make_test_sets(directory: Path) -> None:
    """Writes the archives of ImageNet-V2, R, A and Sketch, of a few classes."""
    for name, root in _V2.items():
        members = [
            (f"{root}/{label}/{7 * label + n:040x}.jpeg", image(label + n))
            for label in (0, 3, 999)
            for n in range(3)
        ]
        (directory / name).write_bytes(tar(members))
    forms = {"r": "{}_{}.jpg", "a": "0.{1}{2}_digital clock _ {0}_0.8.jpg"}
    for letter, form in forms.items():
        renditions = [
            (f"imagenet-{letter}/{wnid}/{form.format(kind, n, row)}", image(row + n))
            for row, wnid in enumerate(WNIDS[1:9:2])
            for n, kind in enumerate(("art", "misc", "sketch"))
        ]
        readme = (f"imagenet-{letter}/README.txt", b"About the images.")
        packed = tar([readme, *renditions])
        (directory / f"imagenet-{letter}.tar").write_bytes(packed)
    with ZipFile(directory / "ImageNet-Sketch.zip", "w") as archive:
        for row, wnid in enumerate(WNIDS[:4]):
            for n in range(3):
                name = f"sketch/{wnid}/sketch_{n}.JPEG"
                archive.writestr(name, image(3 * row + n))


_V2: Final = {
    "imagenetv2-matched-frequency.tar.gz": "imagenetv2-matched-frequency-format-val",
    "imagenetv2-threshold0.7.tar.gz": "imagenetv2-threshold0.7-format-val",
    "imagenetv2-top-images.tar.gz": "imagenetv2-top-images-format-val",
}


def _make_lists(directory: Path) -> None:
    """Writes ILSVRC's archives with the lists of its parts."""
    _make_ilsvrc(directory)
    listed = {
        "1shot.txt": "{0}_1.JPEG",
        "tune.txt": "{0}_2.JPEG",
        "5shot.txt": "{0}_0.JPEG\n{0}_1.JPEG",
        "10shot.txt": "{0}_0.JPEG\n{0}_3.JPEG",
        "ImageNet_LT_train.txt": "train/{0}/{0}_0.JPEG {1}\ntrain/{0}/{0}_2.JPEG {1}",
        "ImageNet_LT_val.txt": "train/{0}/{0}_3.JPEG {1}",
    }
    real = [[1, 2], [], [999], [0], [5, 6, 300], [7], [], [8], [127, 128], [10]]
    (directory / "real.json").write_text(json.dumps(real))
    for name, line in listed.items():
        lines = [line.format(wnid, label) for label, wnid in enumerate(WNIDS[:3])]
        (directory / name).write_text("".join(f"{text}\n" for text in lines))


def _make_imagenette(directory: Path) -> None:
    """Writes the archive of Imagenette's 320 pixels, of two classes."""
    members = [
        (f"imagenette2-320/{split}/{wnid}/{wnid}_{n}.JPEG", image(9 * row + n))
        for split, numbers in {"train": range(3), "val": range(3, 5)}.items()
        for row, wnid in enumerate(("n01440764", "n03888257"))
        for n in numbers
    ]
    noisy = ("imagenette2-320/noisy_imagenette.csv", b"path,labels")
    packed = gzip.compress(tar([*members, noisy]))
    (directory / "imagenette2-320.tgz").write_bytes(packed)


def _make_food(directory: Path) -> None:
    """Writes the archive of Food-101, of three classes and its lists."""
    lists: dict[str, dict[str, list[str]]] = {"train": {}, "test": {}}
    members = []
    for row, food in enumerate(("apple_pie", "churros", "waffles")):
        for n in range(5):
            name = f"{food}/{1000 * row + n}"
            members.append((f"food-101/images/{name}.jpg", image(7 * row + n)))
            listed = lists["test" if n in (1, 4) else "train"]
            listed.setdefault(food, []).append(name)
    meta = [
        (f"food-101/meta/{name}.json", json.dumps(classes).encode())
        for name, classes in lists.items()
    ]
    others = [("food-101/meta/classes.txt", b"apple_pie"), ("food-101/README.txt", b"")]
    packed = gzip.compress(tar([*members, *others, *meta]))
    (directory / "food-101.tar.gz").write_bytes(packed)


def _make_places(directory: Path) -> None:
    """Writes the archives of Places365, of a few classes, and that of its lists."""
    scenes = {
        "/a/airfield": 0,
        "/a/apartment_building/outdoor": 8,
        "/z/zen_garden": 364,
    }
    train = {
        f"{scene}/{number:08d}.jpg": label
        for scene, label in scenes.items()
        for number in range(1, 5)
    }
    named = "Places365_{}_{:08d}.jpg".format
    validation = {named("val", n): 90 * (n % 5) for n in range(1, 8)}
    test = {named("test", n): -1 for n in range(1, 7)}
    archives = {
        "train_256_places365standard.tar": ("data_256", train),
        "val_256.tar": ("val_256/", validation),
        "test_256.tar": ("test_256/", test),
    }
    lists = {"train_standard": train, "val": validation, "test": test}
    for row, (name, (root, listed)) in enumerate(archives.items()):
        members = [
            (root + path, image(20 * row + n, side=256))
            for n, path in enumerate(listed)
        ]
        (directory / name).write_bytes(tar(members))
    (directory / "filelist_places365-standard.tar").write_bytes(
        tar(
            (
                f"places365_{name}.txt",
                "".join(f"{path} {label}\n" for path, label in listed.items()).encode(),
            )
            for name, listed in lists.items()
        )
    )


_VALIDATION: Final = "validation.labels.images"
_UNKNOWN_LISTS: Final = (
    *("train.subset.size", "train.subset.sha256"),
    *("validation.subset.size", "validation.subset.sha256"),
)
_HUB: Final = "https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main/"
_BERKELEY: Final = "https://people.eecs.berkeley.edu/~hendrycks/"
_DRIVE: Final = "https://drive.google.com/"
_V2_CONFIGS: Final = ("matched-frequency", "threshold-0.7", "topimages")

ROWS: Final = (
    Row(
        name="imagenet2012",
        make=_make_ilsvrc,
        flags=_unstated(*_numbers("train", "validation", "test"), _VALIDATION),
    ),
    *(
        Row(
            name=f"imagenet_v2/{config}",
            make=_make_test_sets,
            flags=_unstated(*_numbers("test")),
            urls={f"{_HUB}{file}": file},
        )
        for config, file in zip(_V2_CONFIGS, _V2, strict=True)
    ),
    *(
        Row(
            name=f"imagenet_{letter}",
            make=_make_test_sets,
            flags=_unstated(*_numbers("test")),
            urls={f"{_BERKELEY}imagenet-{letter}.tar": f"imagenet-{letter}.tar"},
        )
        for letter in "ra"
    ),
    Row(
        name="imagenet_sketch",
        make=_make_test_sets,
        flags=_unstated(*_numbers("test")),
        urls={
            f"{_DRIVE}u/0/uc?id=1Mj0i5HBthqH1p_yeXzsg22gZduvgoNeA&export=download": (
                "ImageNet-Sketch.zip"
            )
        },
    ),
    *(
        Row(
            name=f"imagenet2012_fewshot/{number}shot",
            make=_make_lists,
            flags=_unstated(*_numbers("train", "tune", "validation"), _VALIDATION),
        )
        for number in (1, 5, 10)
    ),
    Row(
        name="imagenet2012_real",
        make=_make_lists,
        flags=_unstated(
            *_numbers("validation"),
            *(_VALIDATION, "validation.label_lists.images"),
            *("validation.label_lists.size", "validation.label_lists.sha256"),
        ),
        urls={
            "https://raw.githubusercontent.com/google-research/reassessed-imagenet/"
            "master/real.json": "real.json"
        },
    ),
    Row(
        name="imagenet_lt",
        make=_make_lists,
        flags=_unstated(
            *_numbers("train", "validation", "test"),
            *("test.labels.images", *_UNKNOWN_LISTS),
        ),
        urls={
            f"{_DRIVE}uc?export=download&id=1Sl1cwy6Dei1I1BMS1YKjI35fkaR1UA_7": (
                "ImageNet_LT_train.txt"
            ),
            f"{_DRIVE}uc?export=download&id=1AjYczW4khrQrwPIygXUkHF-Qv4QGEsCF": (
                "ImageNet_LT_val.txt"
            ),
        },
    ),
    Row(
        name="imagenette/320px-v2",
        make=_make_imagenette,
        flags=_unstated(*_numbers("train", "validation")),
        urls={
            "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz": (
                "imagenette2-320.tgz"
            )
        },
    ),
    Row(
        name="food101",
        make=_make_food,
        flags=_unstated(*_numbers("train", "validation")),
        urls={"http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz": "food-101.tar.gz"},
    ),
    Row(
        name="places365_small",
        make=_make_places,
        flags=_unstated(*_numbers("train", "test", "validation")),
        urls={
            f"http://data.csail.mit.edu/places/places365/{file}": file
            for file in (
                *("train_256_places365standard.tar", "val_256.tar", "test_256.tar"),
                "filelist_places365-standard.tar",
            )
        },
    ),
)
