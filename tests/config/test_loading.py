"""Configurations: what the shipped ones say, and what is refused."""

import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from beam_pipeline.config import load_config, parse_assignment, shipped_configs
from beam_pipeline.config.config import BuildConfig, KnownArchive, SplitConfig
from beam_pipeline.config.subsets import SubsetConfig
from transforms.documents.facts import Description, License
from transforms.errors import ConfigError
from transforms.extras import install_line
from transforms.fields import nearest
from transforms.planning.label_files.description import LabelFile

SHIPPED = Path(__file__).parents[2] / "configs"
SIMCLR = "https://raw.githubusercontent.com/google-research/simclr/master/"

Write = Callable[..., str]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_config(text: str, name: str = "mine.yaml") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return write_config


@pytest.fixture
def shipped_1pct(tmp_path: Path) -> BuildConfig:
    shared_texts = yaml.safe_load((SHIPPED / "imagenet2012_subset.yaml").read_text())
    return BuildConfig(
        name="imagenet2012_subset",
        known_archives={
            name: KnownArchive(**facts)
            for name, facts in shared_texts["known_archives"].items()
        },
        config="1pct",
        version="5.0.0",
        versions={
            "5.0.0": ("train", "validation"),
            "5.1.0": ("train", "validation", "test"),
        },
        splits={
            "train": SplitConfig(
                names="n*_*",
                labels="container",
                subset=SubsetConfig(
                    file="1percent.txt",
                    url=f"{SIMCLR}imagenet_subsets/1percent.txt",
                    size=260323,
                    sha256=(
                        "71e82a48ba78252683ae334c4d019ebd"
                        "5c6e855b9599c1389fbe83eb9549cf17"
                    ),
                ),
                members=1281167,
                classes=1000,
                examples=12811,
            ),
            "validation": SplitConfig(
                names="ILSVRC2012_val_*",
                labels=LabelFile(
                    file=str(SHIPPED / "imagenet2012/validation_labels.txt"),
                    format="classes",
                    names="ILSVRC2012_val_{:08d}.JPEG",
                    images=50000,
                ),
                members=50000,
                examples=50000,
            ),
            "test": SplitConfig(
                names="ILSVRC2012_test_*",
                overlays=("ILSVRC2012_img_test_patch.tar", "patch_images.tar"),
                labels="none",
                optional=True,
                members=100000,
                examples=100000,
            ),
        },
        class_names=str(SHIPPED / "imagenet2012/labels.txt"),
        citation=str(SHIPPED / "imagenet2012/citations.bib"),
        class_titles=str(SHIPPED / "imagenet2012" / "names.txt"),
        about=Description(
            title="ImageNet 2012 subset",
            # The long texts: their words are the file's own affair.
            description=shared_texts["description"],
            config_description="1pct of total ImageNet training set.",
            homepage="http://image-net.org/",
            license=License(
                "imagenet",
                "https://www.image-net.org/download.php",
                shared_texts["license"]["terms"],
            ),
            keywords=(
                *("imagenet", "images", "image classification"),
                "learning from few labels",
            ),
            creators=(
                "Ting Chen",
                "Simon Kornblith",
                "Mohammad Norouzi",
                "Geoffrey Hinton",
            ),
            published="2020-02-13",
            manual_download=shared_texts["manual_download"],
            module=(
                "tensorflow_datasets.datasets.imagenet2012_subset."
                "imagenet2012_subset_dataset_builder"
            ),
            release_notes={
                "5.1.0": "Added test split.",
                "5.0.0": "New split API (https://tensorflow.org/datasets/splits)",
                "4.0.0": "(unpublished)",
                "3.0.0": (
                    "\n      Fix colorization on ~12 images (CMYK -> RGB).\n"
                    "      Fix format for consistency (convert the single png image to "
                    "Jpeg).\n      Faster generation reading directly from the archive."
                    "\n      "
                ),
                "2.0.1": "Encoding fix. No changes from user point of view.",
                "2.0.0": "Fix validation labels.",
            },
            default_config="1pct",
        ),
        data_dir=str(tmp_path / "home/tensorflow_datasets"),
        formats=("tfrecord",),
    )


def test_1pct_is_what_tfds_builds(shipped_1pct: BuildConfig) -> None:
    assert load_config("1pct", {}, {}) == shipped_1pct


def test_10pct_differs_from_1pct_in_its_list_alone(shipped_1pct: BuildConfig) -> None:
    subset = SubsetConfig(
        file="10percent.txt",
        url=f"{SIMCLR}imagenet_subsets/10percent.txt",
        size=2603168,
        sha256="6d09de11e7bdaf5b1f3b1f249b6183695f97310cdd20f0c03e7235b6b9392091",
    )
    train = replace(shipped_1pct.splits["train"], subset=subset, examples=128116)
    assert load_config("10pct", {}, {}) == replace(
        shipped_1pct,
        config="10pct",
        about=replace(
            shipped_1pct.about,
            config_description="10pct of total ImageNet training set.",
        ),
        splits={**shipped_1pct.splits, "train": train},
    )


def test_demo_has_a_list_of_its_own_and_several_shards(
    shipped_1pct: BuildConfig,
) -> None:
    splits = shipped_1pct.splits
    assert load_config("demo", {}, {}) == replace(
        shipped_1pct,
        config="demo",
        citation=str(SHIPPED / "demo.bib"),
        about=replace(
            shipped_1pct.about,
            title="Generated pictures",
            creators=("The authors of imagenet2012-subset-beam",),
            keywords=("generated pictures", "images", "image classification"),
            published="2026-11-27",
            manual_download="",
            config_description="Generated pictures in ILSVRC-shaped archives.",
            description=yaml.safe_load((SHIPPED / "demo.yaml").read_text())[
                "description"
            ],
            license=License(
                "generated",
                "https://creativecommons.org/publicdomain/zero/1.0/",
                "The pictures are generated. Do with them what you like.",
            ),
        ),
        max_rejects=1,
        splits={
            "train": replace(
                splits["train"],
                subset=SubsetConfig(file="demo.txt"),
                members=600,
                classes=None,
                examples=300,
            ),
            "validation": replace(splits["validation"], members=200, examples=200),
            "test": splits["test"],
        },
        num_shards={"train": 4, "validation": 2},
    )


def test_shipped_configs_are_those_that_can_be_built() -> None:
    # imagenet2012_subset.yaml is only a base: it names no configuration.
    assert shipped_configs() == [
        *("10pct", "1pct", "demo", "food101", "imagenet2012"),
        *(f"imagenet2012_fewshot/{n}shot" for n in (10, 1, 5)),
        "imagenet2012_real",
        *("imagenet_a", "imagenet_lt", "imagenet_r", "imagenet_sketch"),
        "imagenet_v2/matched-frequency",
        *("imagenet_v2/threshold-0.7", "imagenet_v2/topimages"),
        *(f"imagenette/{size}-v2" for size in ("160px", "320px", "full-size")),
        "places365_small",
    ]


def test_a_config_overrides_its_base_key_by_key(
    write: Write, shipped_1pct: BuildConfig
) -> None:
    path = write(
        "base: 1pct\nconfig: mine\n"
        "splits: {train: {subset: {file: mine.txt}, members: 7}}\n"
        "formats: [tfrecord]\nnum_shards: {train: 3}\n"
    )
    train = shipped_1pct.splits["train"]
    assert train.subset is not None
    # Url, size and hash of the list stay: only what is named changes.
    subset = replace(train.subset, file="mine.txt")
    assert load_config(path, {}, {}) == replace(
        shipped_1pct,
        config="mine",
        splits={
            **shipped_1pct.splits,
            "train": replace(train, subset=subset, members=7),
        },
        num_shards={"train": 3},
    )


def test_null_takes_back_what_the_base_says(write: Write) -> None:
    path = write("base: 1pct\nconfig: all\nsplits: {train: {subset: null}}\n")
    assert load_config(path, {}, {}).splits["train"].subset is None


@pytest.mark.parametrize("base", ["below/other", "below/other.yaml"])
def test_a_base_may_be_a_file_named_from_where_the_config_stands(
    write: Write, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("base: demo\nconfig: other\nhomepage: http://other/\n", "below/other.yaml")
    path = write(f"base: {base}\nconfig: mine\n")
    monkeypatch.chdir("/")
    config = load_config(path, {}, {})
    assert (config.config, config.about.homepage) == ("mine", "http://other/")


def test_a_shipped_config_may_be_the_base_of_a_file_of_its_name(write: Write) -> None:
    path = write("base: 1pct\nconfig: mine\n", "1pct.yaml")
    assert load_config(path, {}, {}).config == "mine"


def test_files_are_relative_to_the_config_that_names_them(
    write: Write, tmp_path: Path
) -> None:
    write(
        "base: demo\nclass_names: names.txt\n"
        "splits: {validation: {labels: {file: ../val.txt, map: map.txt}}}\n",
        "below/other.yaml",
    )
    path = write("base: below/other\ncitation: refs/a.bib\n")
    config = load_config(path, {}, {})
    assert config.class_names == str(tmp_path / "below/names.txt")
    labels = config.splits["validation"].labels
    assert isinstance(labels, LabelFile)
    assert os.path.normpath(labels.file) == str(tmp_path / "val.txt")
    assert labels.map == str(tmp_path / "below/map.txt")
    assert config.citation == str(tmp_path / "refs/a.bib")
    # Neither of these words is a file.
    assert config.splits["train"].labels == "container"
    assert config.splits["test"].labels == "none"


def test_uris_stay(write: Write) -> None:
    path = write(
        "base: demo\nclass_names: gs://b/names.txt\ncitation: s3://b/a.bib\n"
        "splits: {validation: {labels: {file: gs://b/val.txt}}}\n"
    )
    where = {name: f"gs://b/{name}" for name in ("data_dir", "manual_dir", "index_dir")}
    config = load_config(path, {}, where)
    assert (config.class_names, config.citation) == ("gs://b/names.txt", "s3://b/a.bib")
    assert config.splits["validation"].labels.file == "gs://b/val.txt"
    assert where == {
        "data_dir": config.data_dir,
        "manual_dir": config.manual_dir,
        "index_dir": config.index_dir,
    }


def test_absolute_paths_stay(write: Write) -> None:
    path = write("base: demo\nclass_names: /some/names.txt\n")
    assert load_config(path, {}, {}).class_names == "/some/names.txt"


def test_flags_win_over_files_and_none_is_no_flag(write: Write) -> None:
    path = write("base: demo\nversion: 5.1.0\nmax_examples_per_split: 9\n")
    config = load_config(
        path,
        {"max_examples_per_split": 5, "homepage": "http://set/"},
        {"max_examples_per_split": 3, "version": None, "homepage": None},
    )
    assert config.max_examples_per_split == 3
    assert config.version == "5.1.0"
    assert config.about.homepage == "http://set/"


def assert_refused(write: Write, text: str, message: str) -> None:
    """Asserts that a config over ``demo`` is refused, with its path and a message."""
    path = write(f"base: demo\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {}, {})
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("verison: 5.0.0", "unknown key verison. Did you mean version?"),
        ("overwrit: true", "unknown key overwrit. Did you mean overwrite?"),
        (
            "splits: {train: {lables: none}}",
            "unknown key splits.train.lables. Did you mean labels?",
        ),
        (
            "splits: {train: {subset: {sha265: ab}}}",
            "unknown key splits.train.subset.sha265. Did you mean sha256?",
        ),
        (
            # Nothing is near, so all are named.
            "splits: {train: {subset: {qqq: ab}}}",
            "unknown key splits.train.subset.qqq. Known are: classes, exclude, file, "
            "first_per_class, format, fraction, labels, per_class, seed, sha256, size, "
            "url, within.",
        ),
        ("tilte: x", "unknown key tilte. Did you mean title?"),
        ("license: {nmae: x}", "unknown key license.nmae. Did you mean name?"),
        # The description's keys stand beside the others, and not below one.
        ("about: {title: x}", "unknown key about. "),
        # A key need not be text in YAML.
        ("5: x", "unknown key 5. Known are: allow_missing, "),
    ],
)
def test_unknown_keys_are_refused_with_the_nearest(
    write: Write, text: str, message: str
) -> None:
    assert_refused(write, text, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 5.0", "version should be text, not 5.0."),
        ("name: [a]", "name should be text, not ['a']."),
        ("name: null", "name should be text, not None."),
        ("overwrite: 1", "overwrite should be true or false, not 1."),
        ("overwrite: 'no'", "overwrite should be true or false, not 'no'."),
        (
            "max_examples_per_split: '3'",
            "max_examples_per_split should be a whole number, not '3'.",
        ),
        (
            # Python takes True for 1; YAML does not mean that.
            "max_examples_per_split: true",
            "max_examples_per_split should be a whole number, not True.",
        ),
        ("num_shards: {train: 1.5}", "num_shards.train should be a whole number, "),
        ("num_shards: [train]", "num_shards should be keys and values, not ['train']"),
        ("formats: tfrecord", "formats should be a list, not 'tfrecord'."),
        ("formats: [1]", "formats should be text, not 1."),
        ("versions: {5.0.0: train}", "versions.5.0.0 should be a list, not 'train'."),
        ("splits: []", "splits should be keys and values, not []."),
        ("splits: {train: 3}", "splits.train should hold keys and values, not 3."),
        (
            "splits: {train: {archives: a.tar}}",
            "splits.train.archives should be a list, not 'a.tar'.",
        ),
        (
            "splits: {train: {subset: mine.txt}}",
            "splits.train.subset should hold keys and values, not 'mine.txt'.",
        ),
        (
            "splits: {train: {subset: {size: many}}}",
            "splits.train.subset.size should be a whole number, not 'many'.",
        ),
    ],
)
def test_values_of_a_wrong_type_are_refused(
    write: Write, text: str, message: str
) -> None:
    assert_refused(write, text, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 5.0.1", "Unknown version 5.0.1. Did you mean 5.0.0?"),
        ("version: latest", "Unknown version latest. Known are: 5.0.0, 5.1.0."),
        ("formats: [tfrecrd]", "Unknown format tfrecrd. Did you mean tfrecord?"),
        (
            "versions: {5.0.0: [trian]}",
            "Unknown split trian. Did you mean train?",
        ),
        ("num_shards: {valid: 2}", "Unknown split valid. Did you mean validation?"),
        ("num_shards: {xyz: 2}", "Unknown split xyz. Known are: test, train, valid"),
        ("splits: {train: {names: ''}}", "splits.train.names is empty, or names an"),
        ("num_shards: {train: 0}", "num_shards train=0: expected 1 or more."),
        (
            "max_examples_per_split: 0",
            "max_examples_per_split should be 1 or more, not 0.",
        ),
        (
            "versions: {5.0.0: []}",
            "versions.5.0.0 is []: name at least one split, and each once.",
        ),
        (
            "versions: {5.0.0: [train, train]}",
            "versions.5.0.0 is [train, train]: name at least one split, and each once.",
        ),
        (
            "splits: {test: {archives: ['']}}",
            "splits.test.archives is empty, or names an empty path.",
        ),
        (
            "splits: {test: {overlays: ['']}}",
            "splits.test.overlays is empty, or names an empty path.",
        ),
        (
            "splits: {train: {members: 0}}",
            "splits.train.members is 0: expected 1 or more, or null.",
        ),
        (
            "splits: {validation: {examples: -2}}",
            "splits.validation.examples is -2: expected 1 or more, or null.",
        ),
        ("data_dir: ''", "data_dir is empty, or names an empty path."),
        ("formats: []", "Name at least one format, and each once."),
        ("formats: [tfrecord, tfrecord]", "Name at least one format, and each once."),
        (
            "max_file_bytes: {parqet: 1}",
            "Unknown format in max_file_bytes parqet. Did you mean parquet?",
        ),
        (
            "max_file_bytes: {tfrecord: 1}",
            "max_file_bytes tfrecord: tfrecord has the shards that TFDS gives it; "
            "num_shards sets another number.",
        ),
        (
            "dimensions: true",
            "dimensions asks for columns that tfrecord can't have. Build parquet or "
            "webdataset too, or leave it out.",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(
    write: Write, text: str, message: str
) -> None:
    path = write(f"base: demo\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {}, {})
    assert str(caught.value).startswith(message)


EMPTY_KEYS = [
    *(each.name for each in fields(BuildConfig)),
    *(f"splits.train.{each.name}" for each in fields(SplitConfig)),
]


@pytest.mark.parametrize("value", [None, "", [], {}, 0], ids=repr)
@pytest.mark.parametrize("key", EMPTY_KEYS)
def test_an_empty_value_is_taken_or_refused_in_a_sentence(key: str, value: Any) -> None:
    said = ""
    try:
        config = load_config("demo", {key: value}, {})
        assert config.image_extension == "jpg"
        assert config.splits["train"].names
    except ConfigError as error:
        said = str(error)
    assert said == "" or said.endswith((".", "?"))
    assert "Known are: ." not in said


def test_nothing_is_known_of_what_has_no_entry() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("demo", {"versions": {}}, {})
    assert str(caught.value) == "--set versions: Unknown version 5.0.0. None is known."


def test_an_empty_variable_names_no_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", "")
    expected = str(Path("~/tensorflow_datasets").expanduser())
    assert load_config("demo", {}, {}).data_dir == expected


def test_a_missing_key_is_named_with_the_way_out(write: Write) -> None:
    path = write("name: mine\ntitle: Mine\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {}, {})
    assert str(caught.value) == (
        f"{path}: config is missing. A config of your own may say «base: 1pct» to "
        "take what it does not name."
    )


def test_a_missing_key_of_the_description_is_named(write: Write) -> None:
    texts = "name: a\nconfig: b\nversion: 1.0.0\nversions: {}\nsplits: {}\n"
    path = write(f"{texts}class_names: c\ncitation: d\n")
    with pytest.raises(ConfigError, match=r": description is missing\."):
        load_config(path, {}, {})


def test_a_missing_key_of_a_split_is_named(write: Write) -> None:
    path = write(
        "base: demo\nsplits: {extra: {names: a}}\nversions: {5.0.0: [train, extra]}\n"
    )
    with pytest.raises(ConfigError, match=r": splits\.extra\.labels is missing\."):
        load_config(path, {}, {})


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("splits.train.subset.file=mine.txt", "splits.train.subset.file", "mine.txt"),
        ("formats=[tfrecord]", "formats", ["tfrecord"]),
        ("max_examples_per_split=3", "max_examples_per_split", 3),
        ("splits.train.subset=null", "splits.train.subset", None),
        ("homepage=http://a/?b=c", "homepage", "http://a/?b=c"),  # the first = counts
        ("description=", "description", None),
    ],
)
def test_an_assignment_is_a_key_and_a_yaml_value(
    text: str, key: str, value: object
) -> None:
    assert parse_assignment(text) == (key, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("formats", "--set formats: expected key=value."),
        ("=3", "--set =3: expected key=value."),
        ("formats=[tfrecord", "--set formats=[tfrecord: the value is no YAML: "),
        (
            "name=!!python/object/apply:os.getcwd []",
            "--set name=!!python/object/apply:os.getcwd []: the value is no YAML: ",
        ),
    ],
)
def test_a_malformed_assignment_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_assignment(text)
    assert str(caught.value).startswith(message)


def test_overrides_reach_below_by_dots() -> None:
    overrides: dict[str, Any] = {
        "splits.train.subset.file": "mine.txt",
        "num_shards.test": 5,
        "release_notes": {},
    }
    config = load_config("demo", overrides, {})
    assert config.splits["train"].subset == SubsetConfig(file="mine.txt")
    assert config.splits["train"].members == 600
    assert config.num_shards == {"train": 4, "validation": 2, "test": 5}
    assert config.about.release_notes == {}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("name.first", "--set name.first: name has no keys of its own."),
        ("splits.train.lables", "unknown key splits.train.lables. Did you mean lab"),
    ],
)
def test_an_override_of_no_key_is_refused(key: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("demo", {key: "x"}, {})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("2pct", "Did you mean 1pct?"),
        ("dmeo", "Did you mean demo?"),
        ("imagenet", "Did you mean imagenet_r?"),
    ],
)
def test_an_unknown_config_is_refused_with_the_nearest(
    name: str, question: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(name, {}, {})
    assert str(caught.value) == (
        f"There is no configuration {name}: it is neither a file nor one of those "
        f"shipped. {question}"
    )


def test_an_unknown_base_is_refused(write: Write) -> None:
    path = write("base: 1pc\n")
    with pytest.raises(ConfigError, match=r"no configuration 1pc: .* mean 1pct\?$"):
        load_config(path, {}, {})


@pytest.mark.parametrize(
    "bases",
    [
        {"a.yaml": "a"},
        {"a.yaml": "b", "b.yaml": "a"},
        {"a.yaml": "b.yaml", "b.yaml": "below/c", "below/c.yaml": "../a.yaml"},
    ],
    ids=["itself", "two", "three by other paths"],
)
def test_a_circle_of_bases_is_refused(
    write: Write, tmp_path: Path, bases: dict[str, str]
) -> None:
    for name, base in bases.items():
        write(f"base: {base}\n", name)
    with pytest.raises(ConfigError) as caught:
        load_config(str(tmp_path / "a.yaml"), {}, {})
    assert str(caught.value) == f"{tmp_path / 'a.yaml'} is its own base."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "is no YAML: "),
        ("a: b: c", "is no YAML: "),
        ("!!python/object/apply:os.mkdir [made]", "is no YAML: "),
        ("name: !!python/name:os.system", "is no YAML: "),
        ("- a\n- b", "should hold keys and values at its top."),
        ("", "should hold keys and values at its top."),
    ],
)
def test_a_file_that_is_no_plain_mapping_is_refused(
    write: Write, text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(text)
    monkeypatch.chdir(Path(path).parent)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {}, {})
    assert str(caught.value).startswith(f"{path} {message}")
    assert not Path("made").exists()  # no object was loaded, nothing ran


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml is no YAML: "):
        load_config(str(path), {}, {})


def test_directories_follow_from_the_data_dir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "env"))
    config = load_config("1pct", {}, {})
    assert config.data_dir == f"{tmp_path}/env"
    assert config.manual_dir == f"{tmp_path}/env/downloads/manual"
    assert config.index_dir == f"{tmp_path}/env/downloads/imagenet2012_subset/index"
    assert config.cache_dir == f"{tmp_path}/env/downloads/imagenet2012_subset"


def test_directories_given_are_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", "/not/this")
    monkeypatch.chdir(tmp_path)
    config = load_config(
        "1pct", {}, {"data_dir": "~/d", "manual_dir": "a/../m", "index_dir": "i"}
    )
    assert config.data_dir == f"{tmp_path}/home/d"
    assert config.manual_dir == f"{tmp_path}/m"
    assert config.index_dir == f"{tmp_path}/i"


@pytest.mark.parametrize("field", ["data_dir", "manual_dir", "index_dir"])
def test_a_uri_is_not_taken_for_a_path(field: str) -> None:
    # It is for storage to say what it supports; a directory named «gs:» helps nobody.
    config = load_config("1pct", {}, {field: "gs://bucket/there"})
    assert getattr(config, field) == "gs://bucket/there"


@pytest.mark.parametrize(
    ("word", "known", "question"),
    [
        ("tain", ["test", "train"], "Did you mean train?"),
        ("zzz", ["b", "a"], "Known are: a, b."),
        ("zzz", [], "None is known."),
    ],
)
def test_nearest_offers_one_or_all(word: str, known: list[str], question: str) -> None:
    assert nearest(word, known) == question


def test_a_format_whose_package_is_missing_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("beam_pipeline.config.limits.find_spec", lambda name: None)
    load_config("1pct", {}, {"formats": ["tfrecord", "parquet", "webdataset"]})
    with pytest.raises(ConfigError) as caught:
        load_config("1pct", {}, {"formats": ["tfrecord", "array_record"]})
    assert str(caught.value) == (
        "The format array_record needs the package array_record. Install it: "
        f"{install_line('array-record')}"
    )


@pytest.mark.parametrize(
    ("formats", "given", "limits"),
    [
        (["tfrecord", "array_record"], {}, {}),
        (["parquet"], {}, {"parquet": 500_000_000}),
        (
            ["webdataset", "tfrecord", "parquet"],
            {"parquet": 7},
            {"webdataset": 1_000_000_000, "parquet": 7},
        ),
        # Those of a format that is not built do no harm.
        (["parquet"], {"webdataset": 7}, {"parquet": 500_000_000}),
    ],
)
def test_limits_of_files_have_defaults(
    formats: list[str], given: dict[str, int], limits: dict[str, int]
) -> None:
    config = load_config("1pct", {"max_file_bytes": given}, {"formats": formats})
    assert config.max_file_bytes == limits


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"images.policy": "keep", "splits.trian.examples": 5},
            "--set splits.trian.examples: splits.trian is a split of no version. Did "
            "you mean train?",
        ),
        (
            {"statistics": "full", "max_rejects": "many"},
            "--set max_rejects should be a number, not 'many'.",
        ),
        (
            {"imags.policy": "keep"},
            "--set imags.policy: unknown key imags. Did you mean images?",
        ),
        ({"name.x": 1}, "--set name.x: name has no keys of its own."),
    ],
)
def test_a_wrong_assignment_is_named_and_not_the_file(
    overrides: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("1pct", overrides, {})
    assert str(caught.value) == message


def test_what_is_wrong_in_a_file_is_not_blamed_on_assignments(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: 1pct\nconfig: mine\nsplits: {trian: {examples: 5}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(str(path), {"statistics": "full"}, {})
    assert str(caught.value) == (
        f"{path}: splits.trian is a split of no version. Did you mean train?"
    )


def test_a_list_beside_its_config_is_found_there(tmp_path: Path) -> None:
    path, listed = tmp_path / "mine.yaml", tmp_path / "mine.txt"
    path.write_text(
        "base: demo\nconfig: mine\nsplits: {train: {subset: {file: mine.txt}}}\n"
    )

    def file() -> str:
        subset = load_config(str(path), {}, {}).splits["train"].subset
        assert subset is not None
        return subset.file

    assert file() == "mine.txt"  # in manual_dir
    listed.touch()
    assert file() == str(listed)
