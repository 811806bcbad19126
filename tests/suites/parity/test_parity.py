"""Holds what this project builds against what TFDS 4.9.10 builds of the same archives.

TFDS and TensorFlow live in an environment of their own, whose Python runs the scripts
beside this module: PARITY_PYTHON names it, ``make test-parity`` makes it.
"""

import io
import json
import random
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from beam_pipeline import run, verify
from beam_pipeline.config.loading import load_config
from beam_pipeline.demo import VALIDATION_ARCHIVE
from tests.suites.parity.archives import (
    CMYK_NAMES,
    CUT,
    PNG_NAME,
    VALIDATION_IMAGES,
    Photos,
    cmyk_jpeg,
    cmyk_pixels,
    load_photos,
    make_one_percent,
    make_ten_percent_cut,
    ycck_jpeg,
)
from tests.suites.parity.scripts import run_script
from transforms.formats.records import Example, Schema
from transforms.formats.tfrecord import TFRecordWriter, read_tfrecord
from transforms.images.policy import ImagePolicy
from transforms.images.treatment import Treated, treat_image
from transforms.planning.counts import shard_count

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[2]
_NAME: Final = "imagenet2012_subset"
_MIB: Final = 1 << 20
_ADOBE_MARK: Final = b"\xff\xee"
_OURS_ALONE: Final = ("card.html", "manifest.json", "report.html", "statistics.json")
_FIXED_KEYS: Final = ("dataset_info.json", "features.json", "label.labels.txt")


@dataclass(frozen=True, slots=True)
class Case:
    """One build, as our flags say it and as TFDS's script's do."""

    name: str
    config: str
    ours: tuple[str, ...] = ()
    theirs: tuple[str, ...] = ()


# Each class has one image more than the list, and the first one a link to an image.
_MEMBERS: Final = ("--set", f"splits.train.members={12_811 + 1_000 + 1}")

_WHOLE: Final = Case("1pct", "1pct", _MEMBERS)
# TFDS says nothing of listed images that the archive lacks.
_PART: Final = Case("10pct cut", "10pct", ("--allow_missing",))
# The first ones in the archive's order, and boundaries that have to be rounded.
_FIRST: Final = Case(
    "first 500 in 7 shards",
    "10pct",
    (
        *("--allow_missing", "--max_examples_per_split", "500"),
        *("--num_shards", "train=7", "validation=7"),
    ),
    ("--max_examples_per_split", "500", "--num_shards", "7"),
)
_ARRAY_RECORD: Final = Case(
    "1pct as array_record",
    "1pct",
    ("--format", "array_record", *_MEMBERS),
    ("--file_format", "array_record"),
)

all_cases = pytest.mark.parametrize(
    "case", [_WHOLE, _PART, _FIRST, _ARRAY_RECORD], ids=lambda case: case.name
)
stock_cases = pytest.mark.parametrize(
    "case", [_WHOLE, _PART], ids=lambda case: case.name
)


class Workspace:
    """Archives, and what both sides build of them; each is made once."""

    def __init__(self, directory: Path, data: Path) -> None:
        self.photos: Photos = load_photos(data / "photos")
        self._directory = directory
        self._data = data
        # Methods can't be cached themselves: the cache would outlive the workspace.
        self.archives = cache(self._make_archives)
        self.ours = cache(self._build_ours)
        self.theirs = cache(self._build_theirs)
        self.reading = cache(self._read)

    def new_directory(self, name: str) -> Path:
        directory = self._directory / name
        directory.mkdir()
        return directory

    def _make_archives(self, config: str) -> Path:
        if config == "1pct":
            directory = self.new_directory("archives 1pct")
            make_one_percent(directory, self._data, self.photos)
        else:
            validation = self.archives("1pct") / VALIDATION_ARCHIVE
            directory = self.new_directory(f"archives {config}")
            make_ten_percent_cut(directory, self._data, self.photos, validation)
        return directory

    def _build_ours(self, case: Case) -> Path:
        """Returns the data directory of our build."""
        data_dir = self._directory / f"ours {case.name}"
        archives = self.archives(case.config)
        command = ["--config", case.config, "--manual_dir", str(archives)]
        code = run.main([*command, "--data_dir", str(data_dir), *case.ours])
        assert code == 0
        return data_dir

    def _build_theirs(self, case: Case, stock: bool = False) -> Path:
        """Returns the data directory of TFDS's build."""
        data_dir = self._directory / f"theirs {case.name} {stock=}"
        archives = self.archives(case.config)
        flags = [*case.theirs] if stock else [*case.theirs, "--deterministic"]
        command = ["--config", case.config, "--manual_dir", str(archives)]
        run_script("build_with_tfds.py", *command, "--data_dir", str(data_dir), *flags)
        return data_dir

    def _read(self) -> dict[str, Any]:
        """Returns what ``tfds.load`` says of our 1pct dataset."""
        directories = self.ours(_WHOLE), self.archives("1pct")
        output = run_script("read_with_tfds.py", "1pct", *map(str, directories))
        document: dict[str, Any] = json.loads(output)
        return document


@pytest.fixture(scope="module")
def workspace(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workspace]:
    directory = tmp_path_factory.mktemp("parity")
    yield Workspace(directory, shared / "data")
    shutil.rmtree(directory)  # about 1.5 GB


@all_cases
def test_directory_equals_that_of_deterministic_tfds(
    workspace: Workspace, case: Case
) -> None:
    ours = _tree(workspace.ours(case))
    theirs = _tree(workspace.theirs(case))
    assert list(ours) == list(theirs)
    info = f"{case.config}/5.0.0/dataset_info.json"
    assert [name for name in ours if ours[name] != theirs[name]] == [info]
    assert ours[info] == _with_our_description(theirs[info], ours[info])


@all_cases
def test_info_differs_in_the_description_alone(
    workspace: Workspace, case: Case
) -> None:
    ours = json.loads(_info_path(workspace.ours(case), case).read_bytes())
    theirs = json.loads(_info_path(workspace.theirs(case), case).read_bytes())
    described = load_config(case.config, {}, {}).about.description.strip()
    assert ours.pop("description").startswith(described)
    assert theirs.pop("description").startswith("Imagenet2012Subset is a subset of")
    assert ours == theirs


@pytest.mark.parametrize(
    ("case", "lengths"),
    [
        # Two shards by TFDS's own formula: the photos weigh more than 128 MiB.
        (_WHOLE, [["6406", "6405"], ["50000"]]),
        (_FIRST, [["71", "72", "71", "72", "71", "72", "71"]] * 2),
    ],
    ids=["1pct", "first 500 in 7 shards"],
)
def test_tfds_cuts_shards_where_expected(
    workspace: Workspace, case: Case, lengths: list[list[str]]
) -> None:
    # So that equal directories are known to say something of boundaries.
    info = json.loads(_info_path(workspace.theirs(case), case).read_bytes())
    assert [split["shardLengths"] for split in info["splits"]] == lengths


@stock_cases
def test_records_equal_those_of_stock_tfds(workspace: Workspace, case: Case) -> None:
    ours = _shards(workspace.ours(case), case)
    theirs = _shards(workspace.theirs(case, stock=True), case)
    assert list(ours) == list(theirs)
    for name, shard in theirs.items():
        # The order of a map's entries does not change its length, so nothing that
        # our reader might pass over hides behind an equal size.
        assert ours[name].stat().st_size == shard.stat().st_size
        with open(shard, "rb") as file:
            assert _canonical(read_tfrecord(file)) == ours[name].read_bytes()


@stock_cases
def test_metadata_equals_that_of_stock_tfds(workspace: Workspace, case: Case) -> None:
    ours = _tree(workspace.ours(case))
    theirs = _tree(workspace.theirs(case, stock=True))
    info = f"{case.config}/5.0.0/dataset_info.json"
    fixed = [f"{case.config}/5.0.0/{name}" for name in _FIXED_KEYS]
    assert [name for name in ours if "tfrecord" not in name] == [
        ".config/metadata.json",
        *sorted(fixed),
    ]
    for name in (".config/metadata.json", *fixed):
        if name != info:
            assert ours[name] == theirs[name]
    assert ours[info] == _with_our_description(theirs[info], ours[info])


@pytest.mark.parametrize("stock", [False, True], ids=["deterministic", "stock"])
def test_what_tfds_built_is_verified_against_the_archives(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], stock: bool
) -> None:
    directory = _info_path(workspace.theirs(_WHOLE, stock=stock), _WHOLE).parent
    archives = workspace.archives(_WHOLE.config)
    code = verify.main([str(directory), "--manual_dir", str(archives), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0, told


def test_cmyk_images_are_converted_and_the_png_is_left_out(
    workspace: Workspace,
) -> None:
    # So that the equality of the cut's directories is known to cover them.
    records = {
        example.file_name: example.image
        for shard in _shards(workspace.theirs(_PART), _PART).values()
        if "-train." in shard.name
        for example in _read(shard)
    }
    assert PNG_NAME not in records
    sizes = [Image.open(io.BytesIO(records[name])).size for name in CMYK_NAMES]
    modes = [Image.open(io.BytesIO(records[name])).mode for name in CMYK_NAMES]
    assert (modes, sizes[1]) == (["RGB", "RGB"], (1201, 799))
    assert {name.partition("_")[0] for name in records} == set(CUT)


def test_tfds_load_gives_every_example(workspace: Workspace, shared: Path) -> None:
    reading = workspace.reading()
    assert reading["lengths"] == {"train": 12_811, "validation": 50_000}
    names = {
        split: sorted(name for name, _, _ in records)
        for split, records in reading["records"].items()
    }
    listed = (shared / "data" / "1percent.txt").read_text().split()
    assert names["train"] == sorted(listed)
    assert names["validation"] == [
        f"ILSVRC2012_val_{number:08d}.JPEG"
        for number in range(1, VALIDATION_IMAGES + 1)
    ]


def test_training_labels_are_those_of_the_names_classes(workspace: Workspace) -> None:
    classes = _lines("labels.txt")
    assert [
        name
        for name, label, _ in workspace.reading()["records"]["train"]
        if classes[label] != name.partition("_")[0]
    ] == []


def test_validation_labels_are_those_of_the_published_list(
    workspace: Workspace,
) -> None:
    classes, published = _lines("labels.txt"), _lines("validation_labels.txt")
    records = workspace.reading()["records"]["validation"]
    assert [
        name
        for name, label, _ in records
        if classes[label] != published[int(name[len("ILSVRC2012_val_") : -5]) - 1]
    ] == []
    assert set(Counter(label for _, label, _ in records).values()) == {50}


@pytest.mark.parametrize(
    ("split", "distinct"),
    # Photos go to 6 images each in train and to one each in validation.
    [("train", 12_811 - 200 * 5), ("validation", 50_000)],
)
def test_pixels_are_those_of_the_archive(
    workspace: Workspace, split: str, distinct: int
) -> None:
    reading = workspace.reading()
    archived = reading["archived"][split]
    records = reading["records"][split]
    assert [name for name, _, pixels in records if archived[name] != pixels] == []
    assert len({pixels for _, _, pixels in records}) == distinct


def test_tfds_load_supervised_gives_image_and_label(workspace: Workspace) -> None:
    reading = workspace.reading()
    # Shards are read by turns, but a slice of one comes in its order.
    shard = next(iter(_shards(workspace.ours(_WHOLE), _WHOLE).values()))
    names = [example.file_name for example in _read(shard)[:5]]
    archived, classes = reading["archived"]["train"], _lines("labels.txt")
    assert reading["supervised"] == [
        [archived[name], classes.index(name.partition("_")[0])] for name in names
    ]


@pytest.mark.parametrize("source", ["loaded", "from_files"])
def test_tfds_describes_the_dataset(workspace: Workspace, source: str) -> None:
    assert workspace.reading()[source] == {
        "full_name": f"{_NAME}/1pct/5.0.0",
        "features": "FeaturesDict({\n"
        "    'file_name': Text(shape=(), dtype=string),\n"
        "    'image': Image(shape=(None, None, 3), dtype=uint8),\n"
        "    'label': ClassLabel(shape=(), dtype=int64, num_classes=1000),\n"
        "})",
        "supervised_keys": ["image", "label"],
        "first_class": "n01440764",
        "last_class": "n15075141",
        "examples": {"train": 12_811, "validation": 50_000},
        "shards": {"train": 2, "validation": 1},
        "homepage": "http://image-net.org/",
        "file_format": "tfrecord",
        "config_description": "1pct of total ImageNet training set.",
    }


def test_tfds_reads_our_description(workspace: Workspace) -> None:
    described = load_config("1pct", {}, {}).about.description.strip()
    assert workspace.reading()["description"].startswith(described)


def test_shard_counts_equal_those_of_tfds() -> None:
    cases = _shard_count_cases()
    output = run_script("shard_counts_with_tfds.py", stdin=json.dumps(cases))
    theirs = json.loads(output)
    ours = [shard_count(total, examples) for total, examples in cases]
    wrong = [
        (case, our, their)
        for case, our, their in zip(cases, ours, theirs, strict=True)
        if our != their
    ]
    assert wrong == []
    # Every power of two up to 1024 is among them, and multiples of 1024.
    assert {1 << n for n in range(11)} | {2048, 3072} <= set(theirs)


# Whether the repair warns is another test's affair.
@pytest.mark.filterwarnings("ignore:Palette images with Transparency:UserWarning")
@pytest.mark.parametrize("kind", ["png", "cmyk"])
def test_repaired_images_equal_those_of_tfds(workspace: Workspace, kind: str) -> None:
    images = (_pngs if kind == "png" else _cmyks)(workspace.photos)
    theirs, _ = _convert_theirs(workspace, kind, images)
    ours = {name: _convert_ours(data) for name, data in images.items()}
    assert [name for name in images if ours[name] != theirs[name]] == []
    assert {_treat(data).repaired for data in images.values()} == {kind}


def test_palette_alpha_is_dropped_without_a_warning(workspace: Workspace) -> None:
    _convert_ours(_pngs(workspace.photos)["palette alpha.png"])


def test_refused_samplings_equal_tensorflow_with_the_accurate_dct(
    workspace: Workspace,
) -> None:
    # Pillow subsamples M and Y but not K, a layout TurboJPEG does not know. Pillow
    # then decodes, and so the image is near to TFDS's, not equal.
    image = cmyk_pixels(next(iter(workspace.photos.by_class.values())))
    images = {
        f"{name}.jpg": cmyk_jpeg(image, subsampling=subsampling)
        for name, subsampling in (("422", 1), ("420", 2))
    }
    theirs, accurate = _convert_theirs(workspace, "refused", images)
    ours = {name: _convert_ours(data) for name, data in images.items()}
    assert ours == accurate
    for name in images:
        assert ours[name] != theirs[name]
        apart = np.abs(_pixels(ours[name]) - _pixels(theirs[name]))
        assert apart.max() <= 24
        assert apart.mean() < 1.5


def _tree(data_dir: Path) -> dict[str, bytes]:
    """Returns the bytes of every file of the dataset, by path beneath its name.

    Of every file that TFDS writes too: it has no card, report or statistics.
    """
    root = data_dir / _NAME
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if not path.is_dir() and path.name not in _OURS_ALONE
    }


def _info_path(data_dir: Path, case: Case) -> Path:
    return data_dir / _NAME / case.config / "5.0.0" / "dataset_info.json"


def _with_our_description(theirs: bytes, ours: bytes) -> bytes:
    """Returns their document as text, their description's text replaced by ours."""
    old, new = (json.dumps(json.loads(text)["description"]) for text in (theirs, ours))
    assert theirs.count(old.encode()) == 1
    return theirs.replace(old.encode(), new.encode())


def _shards(data_dir: Path, case: Case) -> dict[str, Path]:
    directory = data_dir / _NAME / case.config / "5.0.0"
    return {path.name: path for path in sorted(directory.glob("*.tfrecord-*"))}


def _read(shard: Path) -> list[Example]:
    with open(shard, "rb") as file:
        return list(read_tfrecord(file))


def _canonical(examples: Iterator[Example]) -> bytes:
    """Returns the shard of these records with each map's entries in order."""
    written = io.BytesIO()
    writer = TFRecordWriter(written, Schema(()))
    for example in examples:
        writer.write(example)
    return written.getvalue()


def _lines(name: str) -> list[str]:
    return (_ROOT / "configs" / "imagenet2012" / name).read_text().splitlines()


def _shard_count_cases() -> list[tuple[int, int]]:
    """Returns pairs of total bytes and examples: corners, and thousands at random.

    TFDS never answers where more than 1024 shards are needed and there are fewer
    examples than shards, so such pairs are left out.
    """
    rng = random.Random(0)
    cases = []
    for count in (1, 2, 4, 16, 512, 1024, 1025, 2048, 2049, 3072):
        for size in (64 * _MIB, 1024 * _MIB):
            for apart in (-1, 0, 1):
                for examples in (1, 2, 1023, 1024, 4096, 1_281_167):
                    cases.append((count * size + apart - 16 * examples, examples))
    for _ in range(8000):
        total = round(2 ** rng.uniform(0, 42.5))
        cases.append((total, round(2 ** rng.uniform(0, 24))))
    return [
        (total, examples)
        for total, examples in cases
        if total > 0 and ((total + 16 * examples) >> 30 <= 1024 or examples >= 8192)
    ]


def _treat(data: bytes) -> Treated:
    return treat_image(data, ImagePolicy())


def _convert_ours(data: bytes) -> bytes:
    return _treat(data).data


def _convert_theirs(
    workspace: Workspace, name: str, images: dict[str, bytes]
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Returns the images as TFDS converts them, and as it would with the slow DCT."""
    source, stock, accurate = (
        workspace.new_directory(f"{name} {kind}")
        for kind in ("source", "stock", "accurate")
    )
    for file, data in images.items():
        (source / file).write_bytes(data)
    run_script("images_with_tfds.py", *map(str, (source, stock, accurate)))
    return (
        {path.name: path.read_bytes() for path in stock.iterdir()},
        {path.name: path.read_bytes() for path in accurate.iterdir()},
    )


def _cmyks(photos: Photos) -> dict[str, bytes]:
    """Returns CMYK JPEGs of the samplings that TurboJPEG knows."""
    plain, other = list(photos.by_class.values())[:2]
    images = {}
    for name, image in (
        ("plain", cmyk_pixels(plain)),
        ("odd size", cmyk_pixels(other, (333, 217))),
        ("one pixel", cmyk_pixels(other, (1, 1))),
    ):
        images[f"{name} cmyk.jpg"] = cmyk_jpeg(image)
        images[f"{name} cmyk 444.jpg"] = cmyk_jpeg(image, subsampling=0)
        images[f"{name} cmyk progressive.jpg"] = cmyk_jpeg(image, progressive=1)
        images[f"{name} cmyk quality 30.jpg"] = cmyk_jpeg(image, quality=30)
        images[f"{name} cmyk unmarked.jpg"] = _without_adobe(cmyk_jpeg(image))
        for subsampling in ("444", "440", "422", "420", "411"):
            data = ycck_jpeg(image, subsampling)
            images[f"{name} ycck {subsampling}.jpg"] = data
    # A photo's own conversion leaves K at nothing.
    black = np.asarray(cmyk_pixels(plain)).copy()
    black[..., 3] = np.random.default_rng(0).integers(0, 256, black.shape[:2])
    images["black cmyk.jpg"] = cmyk_jpeg(Image.fromarray(black, "CMYK"))
    return images


def _without_adobe(data: bytes) -> bytes:
    at = data.index(_ADOBE_MARK)
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def _pngs(photos: Photos) -> dict[str, bytes]:
    """Returns PNGs of every colour type and depth, with and without transparency."""
    photo = Image.open(io.BytesIO(next(iter(photos.by_class.values())))).convert("RGB")
    rng = np.random.default_rng(0)
    alpha = rng.integers(0, 256, (photo.height, photo.width), dtype=np.uint8)
    rgba = photo.copy()
    rgba.putalpha(Image.fromarray(alpha))
    grey, palette = photo.convert("L"), photo.quantize(200)
    deep = {
        colour_type: _png_16(rng.integers(0, 1 << 16, (61, 83, channels)), colour_type)
        for colour_type, channels in ((0, 1), (2, 3), (4, 2), (6, 4))
    }
    return {
        "rgb.png": _png(photo),
        "odd size.png": _png(photo.resize((333, 217))),
        "rgb one colour transparent.png": _png(photo, transparency=(1, 2, 3)),
        "rgba.png": _png(rgba),
        "grey.png": _png(grey),
        "grey one value transparent.png": _png(grey, transparency=7),
        "grey alpha.png": _png(rgba.convert("LA")),
        "1 bit.png": _png(photo.convert("1")),
        "palette.png": _png(palette),
        "palette 4 bits.png": _png(photo.quantize(16), bits=4),
        "palette 1 bit.png": _png(photo.quantize(2), bits=1),
        "palette one transparent.png": _png(palette, transparency=3),
        "palette alpha.png": _png(palette, transparency=bytes(range(200))),
        "grey 16 bits.png": deep[0],
        "rgb 16 bits.png": deep[2],
        "grey alpha 16 bits.png": deep[4],
        "rgba 16 bits.png": deep[6],
    }


def _png(image: Image.Image, **options: Any) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "PNG", **options)
    return encoded.getvalue()


def _png_16(samples: np.ndarray, colour_type: int) -> bytes:
    """Returns a PNG of 16-bit samples, which Pillow writes for grey ones only."""
    height, width, _ = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)), dtype=np.int16)
