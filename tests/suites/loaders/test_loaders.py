"""Opens every format with the loader it is for, and compares with the archives.

The loaders live in environments of their own, whose Pythons run the scripts beside
this module: LOADERS_PYTHON names the one without TensorFlow, PARITY_PYTHON the one
with it, and ``make test-loaders`` makes both. Nothing goes over the network.
"""

import io
import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from tests.helpers.own_dataset import build_own_dataset, write_own_photos
from tests.suites.loaders.expected import (
    CLASS_NAMES,
    CONFIGS,
    NAME,
    SHARDS,
    VERSION,
    Built,
    Record,
    printed_lines,
)
from transforms.formats import FORMATS

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[2]
_PYTHONS: Final = {
    "LOADERS_PYTHON": _ROOT / ".venv-loaders" / "bin" / "python",
    "PARITY_PYTHON": _ROOT / ".venv-parity" / "bin" / "python",
}
_NOWHERE: Final = "http://127.0.0.1:9"  # a proxy that isn't there

WAYS: Final = ("mapped", "streamed", "by_files")  # of datasets.load_dataset

every_config = pytest.mark.parametrize("config", CONFIGS)
every_split = pytest.mark.parametrize(
    ("config", "split"), list(product(CONFIGS, SHARDS))
)
every_way = pytest.mark.parametrize("way", WAYS)

_TFDS_FEATURES: Final = (
    "FeaturesDict({\n"
    "    'file_name': Text(shape=(), dtype=string),\n"
    "    'image': Image(shape=(None, None, 3), dtype=uint8),\n"
    "    'label': ClassLabel(shape=(), dtype=int64, num_classes=1000),\n"
    "})"
)
_PARQUET_FEATURES: Final = {
    "file_name": "Value('string')",
    "image": "Image(mode=None, decode=True)",
    "label": f"ClassLabel(names={CLASS_NAMES!r})",
}
_WEBDATASET_FEATURES: Final = {
    "jpg": "Image(mode=None, decode=True)",
    "cls": "Value('int64')",
    "json": "{'file_name': Value('string'), 'label': Value('int64'), "
    "'class_name': Value('string')}",
    "__key__": "Value('string')",
    "__url__": "Value('string')",
}


Read = Callable[..., Any]


@pytest.fixture(scope="module")
def read(built: Built) -> Read:
    """Returns what a script beside this module prints, run by a loader's Python."""
    environment = {
        **os.environ,
        "HF_HOME": str(built.directory / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "HTTP_PROXY": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
    }

    def read(script: str, *arguments: object, python: str = "LOADERS_PYTHON") -> Any:
        path = Path(os.environ.get(python, _PYTHONS[python]))
        if not path.is_file():
            pytest.fail(
                f"There is no {path}: these tests need the loaders in an environment "
                f"of their own. «make test-loaders» makes it, or {python} names "
                "another."
            )
        done = subprocess.run(
            [path, _HERE / script, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        if done.returncode:
            pytest.fail(f"{script} failed:\n{done.stderr[-4000:]}")
        return json.loads(done.stdout)

    return read


@pytest.fixture(scope="module")
def by_data_source(built: Built, read: Read) -> Any:
    return read("read_with_data_source.py", built.data_dir, VERSION, *CONFIGS)


@pytest.fixture(scope="module")
def by_grain(built: Built, read: Read) -> Any:
    return read("read_with_grain.py", built.data_dir, VERSION, *CONFIGS)


@pytest.fixture(scope="module")
def by_tfds_load(built: Built, read: Read) -> Any:
    images = built.directory / "images"
    images.mkdir()
    for record in (r for split in built.expected["demo"].values() for r in split):
        (images / record.file_name).write_bytes(record.image)
    return read(
        *("read_with_tfds_load.py", built.data_dir, VERSION, images, *CONFIGS),
        python="PARITY_PYTHON",
    )


@pytest.fixture(scope="module")
def by_datasets(built: Built, read: Read) -> Any:
    folders = built.folder("parquet"), built.folder("webdataset")
    return read("read_with_datasets.py", *folders, *CONFIGS)


@pytest.fixture(scope="module")
def wide_by_datasets(built: Built, read: Read) -> Any:
    folders = built.wide_folder("parquet"), built.wide_folder("webdataset")
    return read("read_with_datasets.py", *folders, "demo")


@pytest.fixture(scope="module")
def by_tables(built: Built, read: Read) -> Any:
    return read("read_with_tables.py", built.folder("parquet"), *CONFIGS)


@pytest.fixture(scope="module")
def by_webdataset(built: Built, read: Read) -> Any:
    folder, shards = built.folder("webdataset"), json.dumps(SHARDS)
    return read("read_with_webdataset.py", folder, shards, *CONFIGS)


@pytest.fixture(scope="module")
def by_mlcroissant(built: Built, read: Read) -> Any:
    path = built.folder("parquet") / "croissant.json"
    return read("read_with_mlcroissant.py", path)


LOADERS = pytest.mark.parametrize(
    ("format_name", "python"),
    [
        ("tfrecord", "PARITY_PYTHON"),
        ("array_record", "LOADERS_PYTHON"),
        ("parquet", "LOADERS_PYTHON"),
        ("webdataset", "LOADERS_PYTHON"),
    ],
)


@LOADERS
def test_the_line_that_the_build_prints_loads_it(
    built: Built, read: Read, format_name: str, python: str
) -> None:
    counts = {split: len(each) for split, each in built.expected["demo"].items()}
    loaded = read("load_with_line.py", built.lines[format_name], python=python)
    assert loaded == (counts["train"] if format_name == "webdataset" else counts)


@pytest.fixture(scope="module")
def own_lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The lines that load a dataset of one's own, by format."""
    directory = tmp_path_factory.mktemp("own")
    assert len(write_own_photos(directory)) == 4
    outcome = build_own_dataset(directory)
    assert outcome.code == 0, outcome.err
    return printed_lines(outcome.out, FORMATS)


@LOADERS
def test_a_dataset_of_one_s_own_is_loaded(
    own_lines: dict[str, str], read: Read, format_name: str, python: str
) -> None:
    loaded = read("load_with_line.py", own_lines[format_name], python=python)
    assert loaded == (4 if format_name == "webdataset" else {"train": 4})


def test_the_archives_hold_every_kind_of_image(built: Built) -> None:
    # So that equal readings are known to say something of them.
    records = built.expected["demo"]
    assert {split: len(each) for split, each in records.items()} == {
        "train": 18,
        "validation": 20,
        "test": 11,
    }
    assert len(built.expected["demo_half"]["train"]) == 9
    for split, repaired in (("train", 2), ("validation", 0), ("test", 2)):
        images = [Image.open(io.BytesIO(record.image)) for record in records[split]]
        assert {image.mode for image in images} == {"RGB", "L"}
        assert sum(record.upright != record.stored for record in records[split]) == 1
        assert sum(image.info.get("dpi") == (300, 300) for image in images) == repaired
        assert len({record.stored for record in records[split]}) == len(images)


@every_split
def test_data_source_gives_every_example(
    built: Built, by_data_source: Any, config: str, split: str
) -> None:
    expected = [[r.file_name, r.label, r.rgb] for r in built.expected[config][split]]
    reading = by_data_source[config]
    assert reading["records"][split] == expected
    assert reading["backwards"][split] == expected[::-1]


@every_config
def test_data_source_knows_features_and_classes(
    by_data_source: Any, config: str
) -> None:
    reading = by_data_source[config]
    assert reading["features"] == _TFDS_FEATURES
    assert reading["class_names"] == CLASS_NAMES
    assert reading["file_formats"] == ["tfrecord", "array_record"]


@every_split
def test_grain_gives_every_example(
    built: Built, by_grain: Any, config: str, split: str
) -> None:
    expected = [
        [r.file_name, r.label, r.digest, r.rgb] for r in built.expected[config][split]
    ]
    reading = by_grain[config]
    assert reading["in_order"][split] == expected
    assert reading["by_data_loader"][split] == expected
    shuffled = reading["shuffled"][split]
    assert shuffled != expected
    assert sorted(shuffled) == sorted(expected)


@every_split
def test_tfds_load_gives_every_example(
    built: Built, by_tfds_load: Any, config: str, split: str
) -> None:
    decoded = by_tfds_load["decoded"]
    expected = [
        [r.file_name, r.label, r.digest, decoded[r.file_name]]
        for r in built.expected[config][split]
    ]
    reading = by_tfds_load["configs"][config]
    assert reading["records"][split] == expected
    assert reading["lengths"][split] == len(expected)
    assert reading["examples"][split] == len(expected)


@every_config
def test_tfds_load_knows_name_features_and_supervised_keys(
    built: Built, by_tfds_load: Any, config: str
) -> None:
    reading = by_tfds_load["configs"][config]
    assert reading["full_name"] == f"{NAME}/{config}/{VERSION}"
    assert reading["features"] == _TFDS_FEATURES
    assert reading["class_names"] == CLASS_NAMES
    assert reading["supervised"] == sorted(
        [by_tfds_load["decoded"][r.file_name], r.label]
        for r in built.expected[config]["train"]
    )


@every_way
@every_split
def test_datasets_gives_every_example_of_parquet(
    built: Built, by_datasets: Any, config: str, split: str, way: str
) -> None:
    # It turns an image as EXIF says, and leaves a grey one grey.
    reading = by_datasets["parquet"][config][way]
    assert reading["records"][split] == [
        [r.file_name, r.label, r.digest, r.upright]
        for r in built.expected[config][split]
    ]


@every_way
@every_config
def test_datasets_has_the_exact_features_of_parquet(
    by_datasets: Any, config: str, way: str
) -> None:
    features = by_datasets["parquet"][config][way]["features"]
    for split in SHARDS:
        assert list(features[split].items()) == list(_PARQUET_FEATURES.items())


@every_way
@pytest.mark.parametrize("split", SHARDS)
def test_datasets_gives_dimensions_where_asked_for(
    built: Built, wide_by_datasets: Any, split: str, way: str
) -> None:
    reading = wide_by_datasets["parquet"]["demo"][way]
    assert list(reading["features"][split].items()) == [
        *_PARQUET_FEATURES.items(),
        ("width", "Value('int32')"),
        ("height", "Value('int32')"),
    ]
    assert reading["records"][split] == [
        [r.file_name, r.label, *r.size, r.digest, r.upright]
        for r in built.expected["demo"][split]
    ]
    described = wide_by_datasets["webdataset"]["demo"][way]["records"][split]
    assert [record[2] for record in described] == [
        _json_member(r) | {"width": r.size[0], "height": r.size[1]}
        for r in built.expected["demo"][split]
    ]


@every_way
@every_split
def test_datasets_gives_every_example_of_webdataset(
    built: Built, by_datasets: Any, config: str, split: str, way: str
) -> None:
    reading = by_datasets["webdataset"][config][way]
    assert reading["records"][split] == [
        [_key(r), r.label, _json_member(r), r.digest, r.upright]
        for r in built.expected[config][split]
    ]


@every_way
@every_config
def test_datasets_has_the_same_features_in_every_split_of_webdataset(
    by_datasets: Any, config: str, way: str
) -> None:
    features = by_datasets["webdataset"][config][way]["features"]
    assert features == dict.fromkeys(SHARDS, _WEBDATASET_FEATURES)


@pytest.mark.parametrize("format_name", ["parquet", "webdataset"])
def test_datasets_finds_both_configs_and_the_card(
    by_datasets: Any, format_name: str
) -> None:
    folder = by_datasets[format_name]["folder"]
    assert folder["text"].lstrip().startswith("# Generated pictures\n")
    assert {**folder, "text": None} == {
        "config_names": ["demo", "demo_half"],
        "default_config": "demo",
        "license": [
            "other",
            "generated",
            "https://creativecommons.org/publicdomain/zero/1.0/",
        ],
        "task_categories": ["image-classification"],
        "size_categories": ["n<1K"],
        "text": None,
    }


@every_config
def test_datasets_counts_as_the_card_does(
    built: Built, by_datasets: Any, config: str
) -> None:
    counts = {split: len(each) for split, each in built.expected[config].items()}
    reading = by_datasets["parquet"][config]
    assert reading["mapped"]["counted"] == counts
    assert reading["streamed"]["counted"] == counts  # before a file is opened


@pytest.mark.parametrize("library", ["polars", "duckdb"])
@every_split
def test_tables_give_every_example(
    built: Built, by_tables: Any, config: str, split: str, library: str
) -> None:
    expected = built.expected[config][split]
    reading = by_tables[library][config][split]
    assert reading["records"] == [
        [r.file_name, r.label, r.digest, r.file_name] for r in expected
    ]
    assert dict(reading["counts"]) == Counter(r.label for r in expected)
    assert reading["some"] == [r.file_name for r in expected if r.label < 300]


@pytest.mark.parametrize(
    ("library", "types"),
    [
        ("polars", ("String", "Struct({'bytes': Binary, 'path': String})", "Int64")),
        ("duckdb", ("VARCHAR", "STRUCT(bytes BLOB, path VARCHAR)", "BIGINT")),
    ],
)
def test_tables_have_the_types(
    by_tables: Any, library: str, types: Sequence[str]
) -> None:
    columns = dict(zip(("file_name", "image", "label"), types, strict=True))
    for config, split in product(CONFIGS, SHARDS):
        assert by_tables[library][config][split]["types"] == columns


@every_split
def test_webdataset_gives_every_example(
    built: Built, by_webdataset: Any, config: str, split: str
) -> None:
    assert by_webdataset[config][split] == [
        [
            _key(r),
            ["cls", "jpg", "json"],
            r.label,
            _json_member(r),
            [r.label, _json_member(r)],
            r.digest,
            r.rgb,
        ]
        for r in built.expected[config][split]
    ]


@every_config
def test_webdataset_keys_are_unique(by_webdataset: Any, config: str) -> None:
    keys = [record[0] for split in SHARDS for record in by_webdataset[config][split]]
    assert len(set(keys)) == len(keys)


def test_mlcroissant_finds_no_fault(by_mlcroissant: Any) -> None:
    assert (by_mlcroissant["errors"], by_mlcroissant["warnings"]) == ([], [])
    assert by_mlcroissant["conforms_to"] == ["http://mlcommons.org/croissant/1.1"]
    assert by_mlcroissant["names"] == [NAME, VERSION]


@every_config
def test_mlcroissant_gives_every_example(
    built: Built, by_mlcroissant: Any, config: str
) -> None:
    # Files come in no order that it promises.
    assert sorted(by_mlcroissant["records"][config], key=_file_name_of) == sorted(
        (
            {
                f"{config}/split": split,
                f"{config}/file_name": r.file_name,
                f"{config}/image": r.stored,
                f"{config}/label": r.label,
            }
            for split, records in built.expected[config].items()
            for r in records
        ),
        key=_file_name_of,
    )


def test_mlcroissant_gives_splits_and_classes(by_mlcroissant: Any) -> None:
    records = by_mlcroissant["records"]
    assert list(records) == ["splits", "classes", *CONFIGS]
    assert [record["splits/name"] for record in records["splits"]] == list(SHARDS)
    assert records["classes"] == [
        {"classes/label": label, "classes/name": name}
        for label, name in enumerate(CLASS_NAMES)
    ]


def test_mlcroissant_gives_dimensions_where_asked_for(built: Built, read: Read) -> None:
    path = built.wide_folder("parquet") / "croissant.json"
    reading = read("read_with_mlcroissant.py", path)
    assert (reading["errors"], reading["warnings"]) == ([], [])
    assert {
        record["demo/file_name"]: [record["demo/width"], record["demo/height"]]
        for record in reading["records"]["demo"]
    } == {
        r.file_name: [*r.size]
        for records in built.expected["demo"].values()
        for r in records
    }


def _key(record: Record) -> str:
    return record.file_name.removesuffix(".JPEG")


def _json_member(record: Record) -> dict[str, Any]:
    return {
        "file_name": record.file_name,
        "label": record.label,
        "class_name": CLASS_NAMES[record.label] if record.label >= 0 else "",
    }


def _file_name_of(record: dict[str, Any]) -> str:
    return next(value for key, value in record.items() if key.endswith("/file_name"))
