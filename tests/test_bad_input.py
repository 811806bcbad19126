"""What a user can get wrong: one clear message each, and nothing that looks whole."""

import bz2
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from beam_pipeline.config.loading import load_config
from beam_pipeline.demo import SUBSET_LIST, TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from tests.helpers.archives import (
    CLASSES,
    FLAT,
    LISTED,
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

ROOT = Path(__file__).parents[1]
TRAIN = nested_tar(CLASSES)
VALIDATION = tar(FLAT)
LABELS = load_config("demo", {}, {}).splits["validation"].labels
SECOND = 512 + 10240  # where the header of TRAIN's second class stands


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    return few_archives(tmp_path / "archives")


def error_of(outcome: Outcome, data_dir: Path, code: int = 1) -> str:
    """Returns the one message that ended a build, after all that must hold of any."""
    assert outcome.code == code
    assert outcome.out == ""
    said, found, message = outcome.err.rstrip("\n").rpartition("error: ")
    assert found
    # What else was said is what the images of each split were taken from.
    for line in said.splitlines():
        assert re.match(r"(train|validation): a ", line)
    for noise in (
        "Traceback",
        "while running",
        "transforms.errors",
        "--verbose",
        " at 0x",
    ):
        assert noise not in outcome.err
    files = [path.name for path in data_dir.rglob("*") if path.is_file()]
    assert "dataset_info.json" not in files
    assert not any(name.endswith(".unfinished") for name in files)
    return message


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@dataclass(frozen=True)
class Case:
    """Archives to build from in place of the good ones, and the message they give."""

    message: str
    train: bytes | None = None
    validation: bytes | None = None
    listed: list[str] | None = None


GET_AGAIN = "Compare its size and checksum with the published ones and get it again."
CASES = {
    "train given as validation": Case(
        "Images of the train split are there more than once: a tar, {train}, or a tar, "
        "{validation}. Say which to take: --set splits.train.archives=[PATH].",
        validation=TRAIN,
    ),
    "flat tar given as train": Case(
        "The archive of the train split is missing: nothing in {archives} has images "
        "called n*_*. What is there: a tar {train} of ILSVRC2012_val_00000003.JPEG, a "
        "tar {validation} of ILSVRC2012_val_00000003.JPEG. Say with --manual_dir where "
        "it is.",
        train=VALIDATION,
    ),
    "train cut inside an inner tar": Case(
        f"{{train}} is damaged at byte {SECOND:,} after n01440764.tar: n01443537.tar "
        f"needs 10,240 bytes and only 3,736 are there. {GET_AGAIN}",
        train=TRAIN[:15000],
    ),
    "train cut inside a header": Case(
        f"{{train}} is damaged at byte {SECOND:,} after n01440764.tar: it ends without "
        f"an end-of-archive block. {GET_AGAIN}",
        train=TRAIN[: SECOND + 100],
    ),
    "inner tar cut before it was packed": Case(
        f"{{train}} (in n01440764.tar) is damaged at byte {512 + 1536:,} after "
        "n01440764_1.JPEG: it ends without an end-of-archive block. " + GET_AGAIN,
        train=tar([("n01440764.tar", tar(CLASSES["n01440764"])[:1636])]),
    ),
    "validation cut": Case(
        "{validation} is damaged at byte 0: ILSVRC2012_val_00000003.JPEG needs "
        f"{len(image(3)):,} bytes and only 88 are there. {GET_AGAIN}",
        validation=VALIDATION[:600],
    ),
    "corrupt outer header": Case(
        f"{{train}} is damaged at byte {SECOND:,} after n01440764.tar: the header's "
        f"checksum is wrong. {GET_AGAIN}",
        train=flipped(TRAIN, SECOND + 10),
    ),
    "corrupt inner header": Case(
        "{train} (in n01440764.tar) is damaged at byte 512: the header's checksum is "
        f"wrong. {GET_AGAIN}",
        train=flipped(TRAIN, 512 + 10),
    ),
    "train compressed with bzip2": Case(
        "{train} is compressed with bzip2, of which no part can be read by itself. "
        "Unpack it (bzip2 -dc ILSVRC2012_img_train.tar > "
        "ILSVRC2012_img_train.unpacked.tar) and rerun.",
        train=bz2.compress(TRAIN),
    ),
    "list with names that are not there": Case(
        "{train} lacks 7 of the 9 images that {list} names: n01440764_9.JPEG, "
        "n01440764_2.JPEG, n01440764_3.JPEG, n01440764_4.JPEG, n01440764_5.JPEG and 2 "
        "more. Get the whole archive, or pass --allow_missing to build without them.",
        listed=["n01440764_9.JPEG", *LISTED]
        + [f"n01440764_{number}.JPEG" for number in range(2, 8)],
    ),
    "list that selects nothing": Case(
        "{list} selects nothing: {train} has none of its 1 names, such as x.JPEG.",
        listed=["x.JPEG"],
    ),
    "list of names without extension": Case(
        "{list} selects nothing: {train} has none of its 1 names, such as "
        "n01440764_1. n01440764_1 has no extension, and names in the archive end in "
        ".JPEG, as n01440764_1.JPEG does: write them as they are there.",
        listed=["n01440764_1"],
    ),
    "list with a header": Case(
        "{list}, line 1: expected an image name and perhaps a label, found "
        "'filename,label'. It looks like a header: take it out.",
        listed=["filename,label", *(f"{name},0" for name in LISTED)],
    ),
    "list of classes": Case(
        "{list}, line 1: expected an image name and perhaps a label, found "
        "'n01440764'. It looks like a class: a list names each of its images, as "
        "n01440764_1.JPEG.",
        listed=["n01440764", "n01443537"],
    ),
    "list with labels of its own": Case(
        "{list} gives 1 of the 2 images that it names another label than their class "
        "has: n01443537_1.JPEG 5 instead of 1. Say splits.train.labels=list, and the "
        "list decides, or take a list without labels.",
        listed=["n01440764_1.JPEG 0", "n01443537/n01443537_1.JPEG 5"],
    ),
    "empty list": Case(
        "{list} is empty: it should name the split's images.", listed=[]
    ),
    "name twice in the list": Case(
        "{list} names n01440764_1.JPEG twice, on lines 1 and 3. Remove one.",
        listed=[*LISTED, "train/n01440764/n01440764_1.JPEG"],
    ),
    "name twice in an inner tar": Case(
        "1 images of the train split occur twice: n01440764_1.JPEG. n01440764_1.JPEG "
        f"begins at byte 1,024 of {{train}} and byte {1024 + 1024 + 512:,} of "
        "{train}. Remove one of each.",
        train=nested_tar({**CLASSES, "n01440764": CLASSES["n01440764"] * 2}),
    ),
    "name in two inner tars": Case(
        "1 images of the train split occur twice: n01440764_1.JPEG. n01440764_1.JPEG "
        f"begins at byte 1,024 of {{train}} and byte {SECOND + 1024:,} of {{train}}. "
        "Remove one of each.",
        train=nested_tar({**CLASSES, "n01443537": CLASSES["n01440764"]}),
    ),
    "inner tar of no known class": Case(
        "{train} holds n_a.JPEG in n99999999, which is none of the 1,000 classes "
        "(n01440764 to n15075141). Name with class_names a list of classes that has "
        "it, or with subset a list of images that has none of it.",
        train=nested_tar({**CLASSES, "n99999999": [("n_a.JPEG", image(1))]}),
        listed=[*LISTED, "n_a.JPEG"],
    ),
    "validation image without a label": Case(
        "{validation} holds 1 images that have no label in "
        f"{LABELS.file}: "
        "ILSVRC2012_val_00050001.JPEG. Is it the archive of the validation split?",
        validation=tar(
            [
                *FLAT,
                ("ILSVRC2012_val_00050001.JPEG", image(1)),
                ("n01440764_1.JPEG", image(1)),
            ]
        ),
    ),
    "PNG that cannot be decoded": Case(
        "Bad images: 1 of 5, and 0 are allowed: 1 truncated. n01443537_1.JPEG at "
        f"byte {SECOND + 1024:,} of ILSVRC2012_img_train.tar (train): it ",
        train=nested_tar(
            {**CLASSES, "n01443537": [("n01443537_1.JPEG", PNG_START + b"no more")]}
        ),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_bad_archive_or_list_is_told(
    archives: Path, tmp_path: Path, case: Case
) -> None:
    write_archives(
        archives, train=case.train, validation=case.validation, listed=case.listed
    )
    outcome = build(archives, tmp_path / "data", *SIZES_DECIDE)
    expected = case.message.format(
        train=archives / TRAIN_ARCHIVE,
        validation=archives / VALIDATION_ARCHIVE,
        list=archives / SUBSET_LIST,
        archives=archives,
    )
    message = error_of(outcome, tmp_path / "data")
    if expected.endswith(" "):  # the rest is another library's, or a number
        assert message.startswith(expected)
    else:
        assert message == expected


def test_a_worker_process_that_fails_prints_no_traceback(
    archives: Path, tmp_path: Path
) -> None:
    # Not in this process: its workers write past sys.stderr, to where it goes.
    write_archives(archives, train=flipped(TRAIN, SECOND + 10))
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "beam_pipeline.run", "--config", "demo"),
            *("--manual_dir", str(archives), "--data_dir", str(tmp_path / "data")),
            *("--direct_running_mode=multi_processing", "--direct_num_workers=2"),
            *stated(archives),
            "--quiet",  # lines on progress come with time
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = Outcome(finished.returncode, finished.stdout, finished.stderr)
    assert error_of(outcome, tmp_path / "data") == (
        f"{archives / TRAIN_ARCHIVE} is damaged at byte {SECOND:,} after "
        f"n01440764.tar: the header's checksum is wrong. {GET_AGAIN}"
    )


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ([], 1, "The archive of the train split is missing: "),
        (["--version=4.0.0"], 2, "Unknown version 4.0.0. "),
        (["--engine=flink"], 2, "--engine flink needs --flink_master: "),
    ],
)
def test_what_is_wrong_is_told_before_beam_is_loaded(
    flags: list[str], code: int, message: str, tmp_path: Path
) -> None:
    script = (
        "import sys; from beam_pipeline.run import main; "
        "print(main(sys.argv[1:]), 'apache_beam' in sys.modules)"
    )
    finished = subprocess.run(
        [
            *(sys.executable, "-c", script, "--config=1pct", *flags),
            *(f"--manual_dir={tmp_path}", f"--data_dir={tmp_path / 'data'}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stderr.startswith(f"error: {message}")
    assert finished.stdout == f"{code} False\n"


WAYS_ON: Final = (
    "The download may have stopped before its end, or it may be another archive. Get "
    "the whole archive and look at it with --verify_archives, or pass --allow_missing "
    "to build from what is there. For an archive of your own, state its number as "
)


def short_archive(archives: Path) -> int:
    """Makes a hole of an archive's last third, as a stopped download leaves one."""
    path = archives / VALIDATION_ARCHIVE
    data = path.read_bytes()
    assert len(FLAT) == 3
    start = data.index(FLAT[-1][0].encode())
    path.write_bytes(data[:start] + bytes(len(data) - start))
    return len(data)


def test_a_hole_at_an_archives_end_is_told(archives: Path, tmp_path: Path) -> None:
    size = short_archive(archives)
    path = archives / VALIDATION_ARCHIVE
    assert path.stat().st_size == size
    numbers = ("splits.validation.members=3", "splits.validation.examples=3")
    for flags in ((), ("--max_examples_per_split=1",), ("--dry_run",)):
        stating = ("--set", *numbers, *SIZES_DECIDE)
        outcome = build(archives, tmp_path / "data", *flags, *stating)
        assert error_of(outcome, tmp_path / "data") == (
            f"{path} has 2 images, and splits.validation.members of the configuration "
            f"states 3. {WAYS_ON}splits.validation.members, or null."
        )
    # Where the archive's number is not known, that of the split is.
    unknown = ("splits.validation.members=null", numbers[1])
    outcome = build(archives, tmp_path / "data", "--set", *unknown, *SIZES_DECIDE)
    assert error_of(outcome, tmp_path / "data") == (
        f"{path} gives the validation split 2 examples, and splits.validation.examples "
        f"of the configuration states 3. {WAYS_ON}splits.validation.examples, or null."
    )


def test_a_short_archive_is_counted_where_it_is_allowed(
    archives: Path, tmp_path: Path
) -> None:
    short_archive(archives)
    numbers = ("splits.validation.members=3", "splits.validation.examples=3")
    allowed = ("--allow_missing", "--set", *numbers, *SIZES_DECIDE)
    outcome = build(archives, tmp_path, *allowed)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    said = "1 of the 3 images that its archive should have are missing."
    assert f"validation: {said}" in lines
    assert "validation: 1 of its 3 examples are missing." in lines
    directory = dataset_dir(tmp_path)
    statistics = json.loads((directory / "statistics.json").read_text())["splits"]
    assert statistics["validation"]["missing"] == 1
    assert statistics["validation"]["missing_members"] == 1
    assert statistics["train"]["missing"] == 0
    counts = json.loads((directory / "manifest.json").read_text())["counts"]
    assert counts["validation"] == {
        "members": 2,
        "missing_members": 1,
        "missing": 1,
        "limit": None,
        "rejected": 0,
    }
    planned = build(archives, tmp_path, *allowed, "--overwrite", "--dry_run")
    assert "validation: 1 images are missing in the archive." in planned.out


@pytest.mark.parametrize("flags", [(), ("--allow_missing",)])
def test_more_images_than_are_stated_are_never_allowed(
    archives: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    number = ("--set", "splits.train.members=1")
    outcome = build(archives, tmp_path / "data", *flags, *number)
    assert error_of(outcome, tmp_path / "data") == (
        f"{archives / TRAIN_ARCHIVE} has 2 images, and splits.train.members of the "
        "configuration states 1. It may be another archive, or images were added to "
        "it. For an archive of your own, state its number as splits.train.members, or "
        "null."
    )


@pytest.mark.parametrize("flags", [(), ("--allow_missing",)])
def test_a_list_of_another_length_than_is_stated_is_told(
    archives: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    number = ("--set", "splits.train.examples=3")
    outcome = build(archives, tmp_path / "data", *flags, *number)
    assert error_of(outcome, tmp_path / "data") == (
        f"{archives / SUBSET_LIST} names 2 images, and splits.train.examples of the "
        "configuration states 3. It may be another list, or one that was cut off or "
        "edited. For a list of your own, state its number as splits.train.examples, or "
        "null."
    )


def test_without_stated_numbers_any_will_do(archives: Path, tmp_path: Path) -> None:
    short_archive(archives)
    numbers = [
        f"splits.{split}.{key}=null"
        for split in ("train", "validation")
        for key in ("members", "examples")
    ]
    outcome = build(archives, tmp_path, "--set", *numbers, *SIZES_DECIDE)
    assert outcome.code == 0
    assert "missing" not in outcome.out


def test_what_the_archive_lacks_is_counted_where_it_is_allowed(
    archives: Path, tmp_path: Path
) -> None:
    write_archives(archives, listed=["a.JPEG", *LISTED, "b.JPEG"])
    outcome = build(archives, tmp_path, "--allow_missing", *SIZES_DECIDE)
    assert outcome.code == 0
    assert (
        "train: 2 listed images are not in the archives: a.JPEG, b.JPEG\n"
        in outcome.err
    )
    lines = outcome.out.splitlines()
    assert "train: 2 images that its subset should have are missing." in lines
    assert (dataset_dir(tmp_path) / "dataset_info.json").is_file()


@pytest.mark.parametrize(
    ("split", "name", "pattern"),
    [
        ("train", TRAIN_ARCHIVE, "n*_*"),
        ("validation", VALIDATION_ARCHIVE, "ILSVRC2012_val_*"),
    ],
)
def test_a_missing_archive_is_told_with_what_is_there(
    archives: Path, tmp_path: Path, split: str, name: str, pattern: str
) -> None:
    (archives / name).unlink()
    (archives / name).mkdir()  # as unpacking may leave it, with nothing in it
    (archives / "devkit.tar").write_bytes(b"none")
    (there,) = {TRAIN_ARCHIVE, VALIDATION_ARCHIVE} - {name}
    image_of = {
        TRAIN_ARCHIVE: "n01440764_1.JPEG",
        VALIDATION_ARCHIVE: "ILSVRC2012_val_00000003.JPEG",
    }
    message = error_of(build(archives, tmp_path / "data"), tmp_path / "data")
    assert message == (
        f"The archive of the {split} split is missing: nothing in {archives} has "
        f"images called {pattern}. What is there: a tar {archives / there} of "
        f"{image_of[there]}. Without images, or of another form: "
        f"{archives / 'devkit.tar'}. Say with --manual_dir where it is."
    )


def test_an_archive_of_another_ones_size_is_told_before_it_is_read(
    archives: Path, tmp_path: Path
) -> None:
    path = archives / TRAIN_ARCHIVE
    size = (728 << 20) - 10_240  # its holes would be told when it is indexed
    os.truncate(path, size)
    message = error_of(build(archives, tmp_path / "data"), tmp_path / "data")
    assert message == (
        f"{path} is not the published {TRAIN_ARCHIVE}, which has 147,897,477,120 "
        "bytes: it has 763,353,088 bytes, as ILSVRC2012_img_train_t3.tar has, the dogs "
        f"of task 3. Get {TRAIN_ARCHIVE}."
    )


def test_a_file_of_labels_with_a_line_lost_is_told(
    archives: Path, tmp_path: Path
) -> None:
    lines = Path(LABELS.file).read_text().splitlines(keepends=True)
    path = tmp_path / "val.txt"
    path.write_text("".join(lines[:1] + lines[2:]))
    outcome = build(
        *(archives, tmp_path / "data", "--set", f"splits.validation.labels.file={path}")
    )
    assert error_of(outcome, tmp_path / "data") == (
        f"{path} tells the class of 49,999 images, and there should be 50,000. A line "
        "that is lost shifts the labels after it: get the file again, or say with "
        "labels.images how many it should have."
    )


def test_a_list_with_another_checksum_is_told(archives: Path, tmp_path: Path) -> None:
    path = archives / "1percent.txt"
    path.write_bytes(b"n01440764_1.JPEG\n")
    found = hashlib.sha256(b"n01440764_1.JPEG\n").hexdigest()
    outcome = run(
        *("--config", "1pct", "--manual_dir", archives),
        *("--data_dir", tmp_path / "data"),
    )
    assert error_of(outcome, tmp_path / "data") == (
        f"{path} is not the list that was published: it has 17 bytes, sha256 "
        f"{found}, expected 260,323 bytes, sha256 "
        "71e82a48ba78252683ae334c4d019ebd5c6e855b9599c1389fbe83eb9549cf17. Remove it "
        "to have it downloaded. For a list of your own, set url, size and sha256 of "
        "subset to null in a config file."
    )


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets no proxy stand between this test and its own port."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def described(url: str) -> list[str]:
    return [
        "--set",
        f"splits.train.subset.url={url}",
        "splits.train.subset.size=1234",
        f"splits.train.subset.sha256={'ab' * 32}",
    ]


@pytest.mark.usefixtures("direct")
def test_offline_without_the_list_says_where_to_get_and_put_it(
    archives: Path, tmp_path: Path
) -> None:
    (archives / SUBSET_LIST).unlink()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, and nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/list.txt"
        outcome = build(archives, tmp_path / "data", *described(url))
    assert error_of(outcome, tmp_path / "data") == (
        f"The subset list {SUBSET_LIST} is not in the directory of manual downloads "
        "and can't be downloaded: [Errno 111] Connection refused. Get it from "
        f"{url} (1,234 bytes, sha256 {'ab' * 32}). Put it at {archives / SUBSET_LIST}."
    )


@pytest.fixture
def server(direct: None) -> Iterator[str]:
    """The URL of a server that promises 1,234 bytes, sends 5 and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\nhello"
                )

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/list.txt"
        thread.join()


def test_a_download_that_breaks_off_is_told(
    archives: Path, tmp_path: Path, server: str
) -> None:
    (archives / SUBSET_LIST).unlink()
    outcome = build(archives, tmp_path / "data", *described(server))
    message = error_of(outcome, tmp_path / "data")
    assert f"{SUBSET_LIST} is not in the directory of manual downloads" in message
    assert f"Get it from {server} (1,234 bytes, " in message
    assert not list(tmp_path.glob(f"data/**/{SUBSET_LIST}"))


def test_a_list_without_a_url_says_where_to_put_it(
    archives: Path, tmp_path: Path
) -> None:
    (archives / SUBSET_LIST).unlink()
    outcome = build(archives, tmp_path / "data")
    assert error_of(outcome, tmp_path / "data") == (
        f"There is no subset list {SUBSET_LIST}. Put it at {archives / SUBSET_LIST}."
    )


def test_a_data_dir_beneath_a_file_is_told(archives: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    data_dir = tmp_path / "file" / "data"
    outcome = build(archives, data_dir)
    assert error_of(outcome, tmp_path) == (
        f"Can't make the directory {dataset_dir(data_dir)}. A file stands where a "
        "directory is needed."
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_data_dir_is_told(archives: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o555)
    outcome = build(archives, data_dir)
    assert error_of(outcome, data_dir) == (
        f"Can't make the directory {dataset_dir(data_dir)}. Check the permissions, or "
        "choose another directory."
    )


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for one MiB, where this user may mount one."""
    directory = tmp_path / "disk"
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"can't mount a tmpfs: {mounted.stderr.decode().strip()}")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


def test_a_full_disk_is_told(archives: Path, tmp_path: Path, tiny_disk: Path) -> None:
    large = [(name, data + bytes(600_000)) for name, data in FLAT]
    write_archives(archives, validation=tar(large))
    flags = (*SIZES_DECIDE, "--index_dir", tmp_path / "i")
    outcome = build(archives, tiny_disk, *flags)
    message = error_of(outcome, tiny_disk)
    assert message.startswith(f"{tiny_disk} has ")
    assert message.endswith(
        "Make room, name another --data_dir, or build in spite of it with "
        "--ignore_free_space."
    )
    outcome = build(archives, tiny_disk, *flags, "--ignore_free_space")
    shard = "imagenet2012_subset-validation.tfrecord-00000-of-00001"
    assert error_of(outcome, tiny_disk) == (
        f"Can't write {dataset_dir(tiny_disk) / shard}. No space is left there. Free "
        "some, or choose another --data_dir."
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--version", "5.0.1"], "Unknown version 5.0.1. Did you mean 5.0.0?"),
        (["--format", "tfrecrd"], "Unknown format tfrecrd. Did you mean tfrecord?"),
        (["--format", "tfrecord,"], "Unknown format . Known are: "),
        (
            ["--format", "tfrecord,tfrecord"],
            "Name at least one format, and each once.",
        ),
        (["--num_shards", "trian=2"], "Unknown split trian. Did you mean train?"),
        (
            ["--num_shards", "train"],
            "--num_shards train: expected a split and a number, train=16.",
        ),
        (
            ["--num_shards", "train=many"],
            "--num_shards train=many: expected a split and a number, train=16.",
        ),
        (
            ["--num_shards", "train=-1"],
            "--num_shards train=-1: expected a split and a number, train=16.",
        ),
        (
            ["--num_shards", "16"],
            "--num_shards 16: expected a split and a number, train=16.",
        ),
        # A digit to str.isdigit, and none to int.
        (
            ["--num_shards", "train=²"],
            "--num_shards train=²: expected a split and a number, train=16.",
        ),
        (["--num_shards", "train=0"], "num_shards train=0: expected 1 or more."),
        (
            ["--num_shards", "train=3"],  # it has two; only the plan can tell
            "num_shards.train=3: the split has only 2 examples. Ask for as many "
            "shards or fewer.",
        ),
        (
            ["--max_examples_per_split", "0"],
            "max_examples_per_split should be 1 or more, not 0.",
        ),
        (["--set", "homepage"], "--set homepage: expected key=value."),
        (["--set", "name=[a"], "--set name=[a: the value is no YAML: "),
        (
            ["--set", "vresion=5.0.0"],
            "--set vresion: unknown key vresion. Did you mean ver",
        ),
        (
            ["--set", "overwrite=1"],
            "--set overwrite should be true or false, not 1.",
        ),
        (["--overwite"], "Unknown flag --overwite. Did you mean overwrite?"),
        (["--manual-dir=x"], "Unknown flag --manual-dir. Did you mean manual_dir?"),
        (
            ["--direct_num_worker=2"],
            "Unknown flag --direct_num_worker. Did you mean direct_num_workers?",
        ),
        # A word that no flag takes is likely what one was meant to be given.
        (["overwrite"], "Unknown "),
        (["-overwrite"], "Unknown "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_told(
    archives: Path, tmp_path: Path, flags: list[str], message: str
) -> None:
    outcome = build(archives, tmp_path / "data", *flags)
    found = error_of(outcome, tmp_path / "data", code=2)
    expected = message.format(demo=ROOT / "configs" / "demo.yaml")
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: --config"),
        (
            ["--config", "demo", "--max_examples_per_split", "few"],
            "argument --max_examples_per_split: invalid int value: 'few'",
        ),
        (
            ["--config", "demo", "--direct_running_mode=threads"],
            "argument --direct_running_mode: invalid choice: 'threads'",
        ),
    ],
)
def test_what_the_parser_refuses_is_a_usage_error(
    argv: list[str], message: str
) -> None:
    outcome = run(*argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"error: {message}" in outcome.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: demo\nverison: 5.0.0\n", "{path}: unknown key verison. Did you mean v"),
        ("base: demo\nname: [a\n", "{path} is no YAML: "),
        ("base: demo\nformats: tfrecord\n", "{path}: formats should be a list, not "),
        ("base: dmeo\n", "There is no configuration dmeo: "),
        ("base: mine\n", "{path} is its own base."),
        ("name: mine\n", "{path}: config is missing. "),
    ],
    ids=["unknown key", "bad YAML", "wrong type", "unknown base", "circle", "missing"],
)
def test_a_wrong_config_file_is_told(
    archives: Path, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    outcome = run(
        *("--config", path, "--manual_dir", archives),
        *("--data_dir", tmp_path / "data"),
    )
    found = error_of(outcome, tmp_path / "data", code=2)
    assert found.startswith(message.format(path=path))


def test_an_unknown_config_is_told(tmp_path: Path) -> None:
    outcome = run("--config", "11pct", "--data_dir", tmp_path)
    assert error_of(outcome, tmp_path, code=2) == (
        "There is no configuration 11pct: it is neither a file nor one of those "
        "shipped. Did you mean 1pct?"
    )


def test_a_directory_that_storage_does_not_know_is_refused(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run(
        *("--config", "demo", "--manual_dir", archives),
        *("--data_dir", "ftp://bucket/datasets", *SIZES_DECIDE, *stated(archives)),
    )
    message = error_of(outcome, tmp_path)
    assert message.startswith("Can't reach ftp://bucket/. There are gs://, s3:// and")
    assert not (tmp_path / "ftp:").exists()


@pytest.mark.parametrize(
    "flag", ["--no_direct_runner_use_stacked_bundle", "--experiment=of_ones_own"]
)
def test_beams_flags_are_known_by_every_name(
    archives: Path, tmp_path: Path, flag: str
) -> None:
    # What Beam keeps them under is another name than the flag's. That an archive is
    # missed is told after the flags were looked at.
    (archives / TRAIN_ARCHIVE).unlink()
    message = error_of(build(archives, tmp_path / "data", flag), tmp_path / "data")
    assert message.startswith("The archive of the train split is missing: ")


def test_a_missing_archive_leaves_the_finished_dataset_there(
    archives: Path, tmp_path: Path
) -> None:
    assert build(archives, tmp_path, *SIZES_DECIDE).code == 0
    (archives / TRAIN_ARCHIVE).unlink()
    outcome = build(archives, tmp_path, "--overwrite", *SIZES_DECIDE)
    assert outcome.code == 1
    assert (dataset_dir(tmp_path) / "dataset_info.json").is_file()
