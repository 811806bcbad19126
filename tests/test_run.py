"""Whole builds through the command line, reread and held against the archives."""

import bisect
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from beam_pipeline.config.loading import load_config
from beam_pipeline.demo import SUBSET_LIST, TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from tests.helpers.archives import (
    FLAT,
    PNG_START,
    SIZES_DECIDE,
    Outcome,
    build,
    dataset_dir,
    few_archives,
    image,
    nested_tar,
    run,
    stated,
    tar,
    write_archives,
)
from transforms.formats.records import Example
from transforms.formats.table import FORMATS
from transforms.images.policy import ImagePolicy
from transforms.images.treatment import treat_image
from transforms.storage.claims import exclusive

CONFIG = load_config("demo", {}, {})
CLASS_NAMES = Path(CONFIG.class_names).read_text().split()
VALIDATION_LABELS = Path(CONFIG.splits["validation"].labels.file).read_text().split()


@dataclass(frozen=True)
class Built:
    """A finished build that several tests look at and none changes."""

    archives: Path
    data_dir: Path
    outcome: Outcome

    @property
    def directory(self) -> Path:
        return dataset_dir(self.data_dir)


@pytest.fixture(scope="module")
def built(small_archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    data_dir = tmp_path_factory.mktemp("built")
    # As a user would: with a thread for each core.
    outcome = run(
        *("--config", "demo", "--manual_dir", small_archives, "--data_dir", data_dir),
        *stated(small_archives),
    )
    return Built(small_archives, data_dir, outcome)


@pytest.fixture
def copy(built: Built, tmp_path: Path) -> Built:
    """The same build in a place of its own, with archives that may be changed."""
    archives, data_dir = tmp_path / "archives", tmp_path / "data"
    shutil.copytree(built.archives, archives)
    shutil.copytree(built.data_dir, data_dir)
    return Built(archives, data_dir, built.outcome)


def members(data: bytes) -> dict[str, bytes]:
    """Returns what a tar holds, as Python's own reader has it."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for info in archive:
            file = archive.extractfile(info)
            assert file is not None
            found[info.name] = file.read()
    return found


def wanted_train(archives: Path) -> list[Example]:
    listed = set((archives / SUBSET_LIST).read_text().splitlines())
    examples = []
    for tar_name, data in members((archives / TRAIN_ARCHIVE).read_bytes()).items():
        label = CLASS_NAMES.index(tar_name.removesuffix(".tar"))
        for name, original in members(data).items():
            if name in listed:
                content = treat_image(original, ImagePolicy()).data
                examples.append(Example(name, content, label))
    return examples


def wanted_validation(archives: Path) -> list[Example]:
    flat = members((archives / VALIDATION_ARCHIVE).read_bytes())
    return [
        Example(
            name,
            data,
            CLASS_NAMES.index(
                VALIDATION_LABELS[int(name[len("ILSVRC2012_val_") : -len(".JPEG")]) - 1]
            ),
        )
        for name, data in flat.items()
    ]


def in_order(examples: Sequence[Example], split: str) -> list[Example]:
    return sorted(
        examples,
        key=lambda e: hashlib.md5(f"{split}{e.file_name}".encode()).digest(),
    )


def cut(examples: Sequence[Example], shards: int) -> list[list[Example]]:
    """Returns the shards, each record put into the first that ends behind it."""
    ends = [round(len(examples) * i / shards) for i in range(1, shards + 1)]
    parts: list[list[Example]] = [[] for _ in ends]
    for position, example in enumerate(examples):
        parts[bisect.bisect_right(ends, position)].append(example)
    return parts


def reread(directory: Path, split: str) -> list[list[Example]]:
    return [
        list(FORMATS["tfrecord"].codec.read(str(path)))
        for path in sorted(directory.glob(f"*-{split}.tfrecord-*"))
    ]


def info(directory: Path) -> Mapping[str, object]:
    document = json.loads((directory / "dataset_info.json").read_bytes())
    assert isinstance(document, dict)
    return document


def shard_lengths(directory: Path) -> dict[str, list[int]]:
    splits = info(directory)["splits"]
    assert isinstance(splits, list)
    return {
        split["name"]: [int(length) for length in split["shardLengths"]]
        for split in splits
    }


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def states(directory: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(directory)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file()
    }


def said(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.MULTILINE) is not None


def test_a_build_succeeds_without_complaint(built: Built) -> None:
    assert built.outcome.code == 0
    assert built.outcome.err == "".join(
        f"{split}: a tar, {built.archives / name}\n"
        for split, name in (
            ("train", TRAIN_ARCHIVE),
            ("validation", VALIDATION_ARCHIVE),
        )
    )


@pytest.mark.parametrize(
    ("split", "shards"), [("train", 4), ("validation", 2)], ids=str
)
def test_every_record_is_the_archives_own(
    built: Built, split: str, shards: int
) -> None:
    wanted = {"train": wanted_train, "validation": wanted_validation}[split]
    expected = in_order(wanted(built.archives), split)
    assert reread(built.directory, split) == cut(expected, shards)


def test_repaired_images_are_jpegs_and_all_others_untouched(built: Built) -> None:
    kinds = [
        treat_image(data, ImagePolicy()).repaired
        for inner in members((built.archives / TRAIN_ARCHIVE).read_bytes()).values()
        for data in members(inner).values()
    ]
    # So the comparison above saw repairs, and did not only compare copies.
    assert kinds.count("cmyk") == kinds.count("png") == 1
    for shard in reread(built.directory, "train"):
        for example in shard:
            assert treat_image(example.image, ImagePolicy()).repaired is None


def test_the_directory_holds_what_tfds_expects_and_no_more(built: Built) -> None:
    train = [f"train.tfrecord-{i:05d}-of-00004" for i in range(4)]
    validation = [f"validation.tfrecord-{i:05d}-of-00002" for i in range(2)]
    assert sorted(path.name for path in built.directory.iterdir()) == sorted(
        [
            *("card.html", "dataset_info.json", "features.json", "label.labels.txt"),
            *("manifest.json", "report.html", "statistics.json"),
            *(f"imagenet2012_subset-{shard}" for shard in train + validation),
        ]
    )
    # round(4.5) and round(13.5) go to the even neighbour.
    assert shard_lengths(built.directory) == {
        "train": [4, 5, 5, 4],
        "validation": [10, 10],
    }
    assert info(built.directory)["downloadSize"] == str(
        (built.archives / SUBSET_LIST).stat().st_size
    )


def test_the_summary_says_what_was_built_and_how_to_load_it(built: Built) -> None:
    out = built.outcome.out
    sizes = {
        split["name"]: f"{int(split['numBytes']):,}"
        for split in json.loads((built.directory / "dataset_info.json").read_bytes())[
            "splits"
        ]
    }
    assert "imagenet2012_subset/demo 5.0.0" in out
    for split, examples, files in (("train", 18, 4), ("validation", 20, 2)):
        shards = built.directory.glob(f"*-{split}.tfrecord-*")
        size = f"{sum(path.stat().st_size for path in shards):,}"
        row = rf"{examples}\W+{sizes[split]}\W+tfrecord\W+{files}\W+{size}"
        assert said(rf"\b{split}\W+{row}\W*$", out)
    assert said(r"^Built in \d+\.\d s\. Workers spent \d+\.\d s on shards\.$", out)
    assert out.endswith(
        f"tfrecord: {built.directory}\n"
        f"Look at it: {built.directory}/card.html and {built.directory}/report.html\n"
        'Load it: tfds.load("imagenet2012_subset/demo:5.0.0", '
        f'data_dir="{built.data_dir}")  # pip install tensorflow tensorflow-datasets\n'
    )


def test_the_summary_remarks_on_counts_and_repairs(built: Built) -> None:
    lines = built.outcome.out.splitlines()
    for remark in (
        "train: 1 CMYK images made RGB.",
        "train: 1 PNG images made JPEG.",
    ):
        assert remark in lines


def test_a_complete_dataset_is_left_alone(copy: Built) -> None:
    before = states(copy.data_dir)
    outcome = build(copy.archives, copy.data_dir)
    assert outcome == Outcome(
        0,
        f"{copy.directory} is complete as tfrecord and left as it is; "
        "--repair rereads it and mends it, --overwrite builds it again.\n"
        'Load it: tfds.load("imagenet2012_subset/demo:5.0.0", '
        f'data_dir="{copy.data_dir}")  # pip install tensorflow tensorflow-datasets\n',
        "",
    )
    assert states(copy.data_dir) == before


def test_a_complete_dataset_needs_no_archives(copy: Built, tmp_path: Path) -> None:
    outcome = build(tmp_path / "nowhere", copy.data_dir)
    assert outcome.code == 0
    assert "is complete as tfrecord and left as it is" in outcome.out


def test_overwrite_builds_a_complete_dataset_again(built: Built, copy: Built) -> None:
    (copy.directory / "features.json").write_text("spoiled")
    stranger = "imagenet2012_subset-train.tfrecord-00000-of-00099"
    (copy.directory / stranger).write_text("goes with the old one")
    before = states(copy.directory)
    outcome = build(copy.archives, copy.data_dir, "--overwrite")
    assert outcome.code == 0
    assert "Built in" in outcome.out
    assert contents(copy.directory) == contents(built.directory)
    assert not set(states(copy.directory).items()) & set(before.items())


def test_a_build_can_be_asked_for_sha256(built: Built, copy: Built) -> None:
    outcome = build(copy.archives, copy.data_dir, "--checksum", "sha256")
    assert outcome.code == 1
    assert "built with other settings: checksum was blake3, now sha256. " in outcome.err
    flags = ("--checksum", "sha256", "--overwrite")
    assert build(copy.archives, copy.data_dir, *flags).code == 0
    found = contents(copy.directory)
    manifest = json.loads(found.pop("manifest.json"))
    listed = manifest["documents"] | {
        file["name"]: file
        for splits in manifest["formats"].values()
        for split in splits
        for file in split["files"]
    }
    assert {name: facts["digest"] for name, facts in listed.items()} == {
        name: f"sha256:{hashlib.sha256(data).hexdigest()}"
        for name, data in found.items()
    }
    assert found == {
        name: data
        for name, data in contents(built.directory).items()
        if name != "manifest.json"
    }


def test_overwrite_keeps_the_old_dataset_when_the_plan_fails(copy: Built) -> None:
    before = states(copy.directory)
    outcome = build(
        *(copy.archives, copy.data_dir, "--overwrite", "--num_shards", "train=999")
    )
    assert outcome.code == 2
    assert states(copy.directory) == before


def test_num_shards_is_obeyed_split_by_split(built: Built, tmp_path: Path) -> None:
    outcome = build(built.archives, tmp_path, "--num_shards", "train=7")
    assert outcome.code == 0
    directory = dataset_dir(tmp_path)
    expected = in_order(wanted_train(built.archives), "train")
    assert reread(directory, "train") == cut(expected, 7)
    # The flag stands for the config's whole table, so sizes decide for the other.
    assert shard_lengths(directory) == {
        "train": [3, 2, 3, 2, 3, 2, 3],
        "validation": [20],
    }


def test_max_examples_keeps_the_first_of_the_archive(
    built: Built, tmp_path: Path
) -> None:
    outcome = build(
        *(built.archives, tmp_path, "--max_examples_per_split", 5),
        *("--set", "num_shards={}"),
    )
    assert outcome.code == 0
    directory = dataset_dir(tmp_path)
    assert reread(directory, "train") == [
        in_order(wanted_train(built.archives)[:5], "train")
    ]
    assert reread(directory, "validation") == [
        in_order(wanted_validation(built.archives)[:5], "validation")
    ]


def test_a_build_goes_on_from_the_shards_that_are_there(
    built: Built, tmp_path: Path
) -> None:
    directory = dataset_dir(tmp_path)
    # The build ends at its very last step: no file can be published over a directory.
    blocker = directory / "features.json" / "blocked"
    blocker.mkdir(parents=True)
    outcome = build(built.archives, tmp_path)
    assert outcome.code == 1
    shutil.rmtree(blocker.parent)
    shards = sorted(directory.glob("*.tfrecord-*"))
    assert len(shards) == 6
    note, *reports = sorted((directory / ".tfrecord.reports").iterdir())
    assert note.name == "build.json"
    assert [path.name for path in reports] == [
        *(f"train-{i:05d}-of-00004.json" for i in range(4)),
        *(f"validation-{i:05d}-of-00002.json" for i in range(2)),
    ]

    before = states(directory)
    shards[0].unlink()
    os.truncate(shards[1], 100)
    reports[2].unlink()
    (directory / ".x.0123abcd.unfinished").write_bytes(b"of a run that was killed")
    outcome = build(built.archives, tmp_path)
    assert outcome.code == 0
    assert contents(directory) == contents(built.directory)
    after = states(directory)
    kept = [path.name for path in shards if after[path.name] == before[path.name]]
    assert kept == [path.name for path in shards[3:]]
    assert not list(directory.glob(".*"))
    assert sorted(outcome.err.splitlines()[2:]) == [
        f"{shards[0]} has disappeared: it is built again.",
        f"{shards[1]} is not as it was written: it is built again.",
        "tfrecord: continuing an earlier run: 3 of 4 train, 2 of 2 validation "
        "shards are there.",
    ]


def test_what_was_different_in_an_earlier_run_is_told(
    built: Built, tmp_path: Path
) -> None:
    blocker = dataset_dir(tmp_path) / "features.json" / "blocked"
    blocker.mkdir(parents=True)
    flags = ("--set", "images.policy=reencode", "images.quality=80")
    assert build(built.archives, tmp_path, *flags).code == 1
    shutil.rmtree(blocker.parent)
    outcome = build(built.archives, tmp_path, "--num_shards", "validation=2", "train=3")
    assert outcome.code == 0
    assert (
        "tfrecord: an earlier run left 6 shards, with other settings: "
        "train.images.policy was reencode, now repair; train.images.quality was 80, "
        "now 90; train.num_shards was 4, now 3; validation.images.policy was "
        "reencode, now repair; validation.images.quality was 80, now 90. What differs "
        "is built again.\n"
    ) in outcome.err
    assert len(list(dataset_dir(tmp_path).glob("*.tfrecord-*"))) == 5


def test_a_run_killed_in_its_last_moments_leaves_nothing(copy: Built) -> None:
    (index,) = copy.data_dir.glob("downloads/*/index")
    note = index / ".demo-0123456789ab.built.json.01234567.unfinished"
    note.write_text("[")
    reports = copy.directory / ".tfrecord.reports"
    reports.mkdir()
    (reports / "build.json").write_text("{}")
    outcome = build(copy.archives, copy.data_dir)
    assert outcome.code == 0
    assert "is complete as tfrecord and left as it is" in outcome.out
    assert not reports.exists()
    assert not note.exists()


def test_two_runs_do_not_write_to_one_directory(built: Built, tmp_path: Path) -> None:
    directory = dataset_dir(tmp_path)
    directory.mkdir(parents=True)
    with exclusive(str(directory)):
        outcome = build(built.archives, tmp_path)
    assert outcome.code == 1
    assert outcome.err.partition("error: ")[1:] == (
        "error: ",
        f"Another run is writing to {directory}. Wait for it to end, or stop "
        "it and rerun; the shards that it finished are kept.\n",
    )
    assert list(directory.iterdir()) == []
    assert build(built.archives, tmp_path).code == 0


def test_a_quiet_build_says_nothing(built: Built, tmp_path: Path) -> None:
    outcome = build(built.archives, tmp_path, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_without_reports_nothing_is_believed(copy: Built, built: Built) -> None:
    (copy.directory / "dataset_info.json").unlink()
    before = states(copy.directory)
    outcome = build(copy.archives, copy.data_dir)
    assert outcome.code == 0
    assert contents(copy.directory) == contents(built.directory)
    assert not set(states(copy.directory).items()) & set(before.items())


def test_a_failed_build_keeps_the_splits_that_succeeded(tmp_path: Path) -> None:
    good, bad = ("n01440764_1.JPEG", image(1)), PNG_START + b"nothing"
    validation = tar([("ILSVRC2012_val_00000003.JPEG", image(3))])
    archives = write_archives(
        tmp_path / "archives",
        train=nested_tar({"n01440764": [good, ("n01440764_2.JPEG", bad)]}),
        validation=validation,
        listed=["n01440764_1.JPEG", "n01440764_2.JPEG"],
    )
    flags = ("--num_shards", "train=2", "validation=1")
    outcome = build(archives, tmp_path, *flags)
    assert outcome.code == 1
    directory = dataset_dir(tmp_path)
    assert not (directory / "dataset_info.json").exists()
    before = states(directory)

    write_archives(
        archives,
        train=nested_tar({"n01440764": [good, ("n01440764_2.JPEG", image(2))]}),
    )
    outcome = build(archives, tmp_path, *flags)
    assert outcome.code == 0
    train = [Example(f"n01440764_{i}.JPEG", image(i), 0) for i in (1, 2)]
    assert reread(directory, "train") == cut(in_order(train, "train"), 2)
    after = states(directory)
    # The archive of the others was replaced; only what came of the same one stays.
    kept = {name for name, state in after.items() if before.get(name) == state}
    assert kept <= {"imagenet2012_subset-validation.tfrecord-00000-of-00001"}


def index_files(data_dir: Path) -> list[Path]:
    index = data_dir / "downloads" / "imagenet2012_subset" / "index"
    return sorted(index.glob("*.parquet"))


def test_the_index_of_each_archive_is_saved_and_used(copy: Built) -> None:
    train, validation = index_files(copy.data_dir)
    assert train.name.startswith(f"{TRAIN_ARCHIVE}-")
    assert validation.name.startswith(f"{VALIDATION_ARCHIVE}-")
    # The archives were copied, so they are other files: indexed for themselves.
    outcome = build(copy.archives, copy.data_dir, "--overwrite")
    assert outcome.code == 0
    own = sorted(set(index_files(copy.data_dir)) - {train, validation})
    assert len(own) == 2
    numbers = stated(copy.archives)

    # Spoil a header behind the same size and time, which is none of those that prove
    # the index: it alone tells now.
    for name, index in zip((TRAIN_ARCHIVE, VALIDATION_ARCHIVE), own, strict=True):
        path = copy.archives / name
        status = path.stat()
        data = bytearray(path.read_bytes())
        footer = pq.read_metadata(index).metadata[b"archive_index"]
        headers = {at - 512 for at in pq.read_table(index)["offset"].to_pylist()}
        # The first ones show what it is, before any index is looked at.
        spoiled = max(headers - set(json.loads(footer)["headers"]))
        data[spoiled + 148 : spoiled + 156] = b"badcheck"
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    before = {path: path.stat().st_mtime_ns for path in own}
    shards = contents(copy.directory)
    outcome = build(copy.archives, copy.data_dir, "--overwrite", *numbers)
    assert outcome.code == 0, outcome.err
    assert "Index" not in outcome.err
    assert contents(copy.directory) == shards
    assert {path: path.stat().st_mtime_ns for path in own} == before
    # Counted as if it had been walked.
    wrong = ("--set", "splits.train.members=35")
    outcome = build(copy.archives, copy.data_dir, "--overwrite", *wrong)
    assert "has 36 images, and splits.train.members of the conf" in outcome.err


def test_a_stale_index_is_made_again_and_said(tmp_path: Path) -> None:
    def archives(number: int) -> Path:
        name = f"n01440764_{number}.JPEG"
        return write_archives(
            tmp_path / "archives",
            train=nested_tar({"n01440764": [(name, image(number))] * 1}),
            validation=tar([("ILSVRC2012_val_00000003.JPEG", image(3))]),
            listed=[name],
        )

    flags = ("--overwrite", "--set", "num_shards={}")
    assert build(archives(1), tmp_path, *flags).code == 0
    (index, _) = index_files(tmp_path)
    outcome = build(archives(2), tmp_path, *flags)
    assert outcome.code == 0
    assert (
        f"Index {index} is not used, but made again: the archive has changed since\n"
        in outcome.err
    )
    assert index_files(tmp_path)[0] == index
    expected = Example("n01440764_2.JPEG", image(2), 0)
    assert reread(dataset_dir(tmp_path), "train") == [[expected]]


def test_an_index_that_cannot_be_kept_does_not_end_the_build(
    built: Built, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no directory")
    outcome = build(
        *(built.archives, tmp_path / "d"), "--index_dir", tmp_path / "file" / "i"
    )
    assert outcome.code == 0
    assert outcome.err.count("The index is not kept for the next run: Can't ") == 2
    assert contents(dataset_dir(tmp_path / "d")) == contents(built.directory)


TEST_NAMES = [f"ILSVRC2012_test_{number:08d}.JPEG" for number in (1, 2, 3)]
TEST_IMAGES = [(name, image(10 + i)) for i, name in enumerate(TEST_NAMES)]


@pytest.mark.parametrize(
    ("archive", "patch"),
    [
        ("ILSVRC2012_img_test.tar", None),
        ("ILSVRC2012_img_test_v10102019.tar", "patch_images.tar"),
    ],
)
def test_version_5_1_0_has_the_test_split_without_labels(
    tmp_path: Path, archive: str, patch: str | None
) -> None:
    archives = few_archives(tmp_path / "archives")
    (archives / archive).write_bytes(tar(TEST_IMAGES))
    expected = [Example(name, data, -1) for name, data in TEST_IMAGES]
    if patch:
        # One image again, in a directory of its own as the patch of 2019 has it.
        (archives / patch).write_bytes(tar([(f"patch/{TEST_NAMES[1]}", image(99))]))
        expected[1] = Example(TEST_NAMES[1], image(99), -1)
    numbers = ("--set", "splits.test.members=3", "splits.test.examples=3")
    outcome = build(archives, tmp_path, "--version", "5.1.0", *numbers, *SIZES_DECIDE)
    assert outcome.code == 0
    directory = dataset_dir(tmp_path, version="5.1.0")
    assert reread(directory, "test") == [in_order(expected, "test")]
    assert info(directory)["version"] == "5.1.0"
    assert shard_lengths(directory) == {"train": [2], "validation": [3], "test": [3]}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Version 5.1.0 without a test archive, of a class tar with more than images."""
    directory = tmp_path_factory.mktemp("odd")
    buffer = io.BytesIO(tar([("n01440764_1.JPEG", image(1)), ("._x.JPEG", b"mac")]))
    with tarfile.open(fileobj=buffer, mode="a") as inner:
        for name, kind, target in (
            ("n01440764_2.JPEG", tarfile.SYMTYPE, "n01440764_1.JPEG"),
            ("n01440764_3.JPEG", tarfile.LNKTYPE, "n01440764_2.JPEG"),
            ("pictures", tarfile.SYMTYPE, "."),
        ):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            inner.addfile(link)
    archives = write_archives(
        few_archives(directory / "archives"),
        train=tar([("n01440764.tar", buffer.getvalue())]) + bytes(1 << 20),
        validation=tar(FLAT)[: 3 * (512 + 1024)],  # three members and no end
        listed=["n01440764_1.JPEG", "n01440764_3.JPEG"],
    )
    flags = ("--version=5.1.0", "--allow_missing", *SIZES_DECIDE)
    return Built(archives, directory, build(archives, directory, *flags))


def test_version_5_1_0_without_the_test_archive_is_an_error_that_may_be_allowed(
    odd: Built, tmp_path: Path
) -> None:
    refused = build(odd.archives, tmp_path, "--version=5.1.0", *SIZES_DECIDE)
    train, validation = (
        odd.archives / name for name in (TRAIN_ARCHIVE, VALIDATION_ARCHIVE)
    )
    assert refused.code == 1
    assert refused.err == (
        f"error: The archive of the test split is missing: nothing in {odd.archives} "
        f"has images called ILSVRC2012_test_*. What is there: a tar {train} of "
        f"n01440764_1.JPEG, a tar {validation} of ILSVRC2012_val_00000003.JPEG. Say "
        "with --manual_dir where it is. --allow_missing builds without it.\n"
    )
    assert odd.outcome.code == 0
    directory = dataset_dir(odd.data_dir, version="5.1.0")
    assert shard_lengths(directory) == {"train": [2], "validation": [3]}


def test_leftovers_and_links_are_skipped_and_counted(odd: Built) -> None:
    lines = odd.outcome.out.splitlines()
    assert "train: 1 links skipped." in lines
    assert "train: 1 leftovers of editors and systems skipped." in lines


def test_links_to_images_are_images(odd: Built) -> None:
    examples = [
        Example(name, image(1), 0) for name in ("n01440764_1.JPEG", "n01440764_3.JPEG")
    ]
    directory = dataset_dir(odd.data_dir, version="5.1.0")
    assert reread(directory, "train") == [in_order(examples, "train")]


def test_archives_that_end_oddly_are_built_from_with_remarks(odd: Built) -> None:
    lines = odd.outcome.out.splitlines()
    assert "train: 1,058,304 zero bytes at the end of tars, more than padding." in lines
    assert "validation: 1 tars without end-of-archive blocks." in lines
    train, validation = (
        odd.archives / name for name in (TRAIN_ARCHIVE, VALIDATION_ARCHIVE)
    )
    warnings = [line for line in odd.outcome.err.splitlines() if ".tar: " in line]
    assert sorted(warnings) == [
        f"{train}: more zero bytes at its end than padding takes: 1,058,304 in it. So "
        "ends a download that stopped in a file of the full length; if it did, images "
        "are missing.",
        f"{validation}: without end-of-archive blocks after the last member: it. So "
        "ends what was cut off there, by a download that stopped; if it was, images "
        "are missing.",
    ]


def test_version_5_0_0_ignores_the_test_archive(tmp_path: Path) -> None:
    archives = few_archives(tmp_path / "archives")
    # It is not even opened: it is no tar.
    (archives / "ILSVRC2012_img_test.tar").write_bytes(b"no tar")
    outcome = build(archives, tmp_path, *SIZES_DECIDE)
    assert outcome.code == 0
    assert shard_lengths(dataset_dir(tmp_path)) == {"train": [2], "validation": [3]}


@pytest.fixture(scope="module")
def own(small_archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A config file beside archives of one's own, in a version that counts them."""
    directory = tmp_path_factory.mktemp("own")
    archives = directory / "archives"
    shutil.copytree(small_archives, archives)
    names = (archives / SUBSET_LIST).read_text().split()[:3]
    (archives / "few.txt").write_text("".join(f"{name}\n" for name in names))
    (directory / "mine.yaml").write_text(
        f"base: demo\nconfig: few\nindex_dir: {directory / 'index'}\n"
        "splits:\n"
        "  train: {subset: {file: few.txt}, members: 36, examples: 3}\n"
        "  validation: {members: 20, examples: 20}\n"
    )
    outcome = run(
        *("--config", directory / "mine.yaml", "--verbose"),
        *("--manual_dir", archives, "--data_dir", directory / "data"),
        *("--set", "num_shards.train=2", "homepage=http://first/"),
        *("--set", "homepage=http://second/"),
    )
    return Built(archives, directory / "data", outcome)


def test_a_config_file_of_ones_own_is_built(own: Built) -> None:
    assert own.outcome.code == 0
    names = (own.archives / "few.txt").read_text().split()
    expected = [
        example
        for example in in_order(wanted_train(own.archives), "train")
        if example.file_name in names
    ]
    directory = dataset_dir(own.data_dir, "few")
    assert reread(directory, "train") == cut(expected, 2)
    assert info(directory)["configName"] == "few"


def test_set_reaches_any_key_and_may_be_given_twice(own: Built) -> None:
    directory = dataset_dir(own.data_dir, "few")
    assert info(directory)["location"] == {"urls": ["http://second/"]}
    assert shard_lengths(directory) == {"train": [2, 1], "validation": [10, 10]}


def test_indexes_go_where_index_dir_says(own: Built) -> None:
    index = own.archives.parent / "index"
    names = [path.name.rpartition("-")[0] for path in sorted(index.glob("*.parquet"))]
    assert names == [TRAIN_ARCHIVE, VALIDATION_ARCHIVE]
    assert not (own.data_dir / "downloads").exists()


def test_verbose_shows_beams_log(own: Built) -> None:
    # Also when an earlier build in this process did not.
    assert said(r"^\S+ \S+ apache_beam\.", own.outcome.err)


def test_help_is_in_groups() -> None:
    outcome = run("--help")
    assert (outcome.code, outcome.err) == (0, "")
    headings = re.findall(r"^(\S.*):$", outcome.out, re.MULTILINE)
    assert headings == ["options", "what to build", "where", "how"]
    groups = re.split(r"^\S.*:$", outcome.out, flags=re.MULTILINE)
    flags = [re.findall(r"^  (--\w+)", group, re.MULTILINE) for group in groups]
    what, where, how = flags[2:]
    assert what == [
        "--config",
        "--list",
        "--version",
        "--max_examples_per_split",
        "--allow_missing",
        "--max_rejects",
        "--verify_images",
        "--statistics",
    ]
    assert where == ["--manual_dir", "--data_dir", "--index_dir", "--verify_archives"]
    assert how == [
        *("--format", "--num_shards", "--checksum", "--engine", "--overwrite"),
        *(
            "--repair",
            "--ignore_free_space",
            "--set",
            "--dry_run",
            "--quiet",
            "--verbose",
        ),
    ]
    assert "one that --list prints, as 1pct, or a file of your own" in outcome.out
    assert "--runner" in outcome.out
    assert "Exit codes: 0" in outcome.out
