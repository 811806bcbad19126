"""Whether an archive is the published one, and which it is if not."""

import hashlib
import logging
from pathlib import Path

import pytest

from beam_pipeline.config.config import KnownArchive
from beam_pipeline.config.loading import load_config
from beam_pipeline.inputs.checksums import refuse_mistaken, verify_archives
from tests.helpers.archives import build
from transforms import storage
from transforms.errors import ArchiveError
from transforms.storage.backend import FileInfo

TRAIN, OTHER = b"train" * 300_000, b"dogs"


OTHER_ARCHIVE = (
    "It is none of those that are published: cut off, damaged, packed again, or "
    "another archive on purpose, which --verify_archives knows nothing of unless "
    "known_archives describes it."
)


def known(data: bytes, **changes: object) -> KnownArchive:
    facts: dict[str, object] = {
        "size": len(data),
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return KnownArchive(**(facts | changes))  # type: ignore[arg-type]


KNOWN = {
    "train.tar": known(TRAIN),
    "old.tar": known(TRAIN, sha256=None, size=None),
    "dogs.tar": known(OTHER, sha256=None, size=None, remark="the dogs of task 3"),
}


def problem(directory: Path, **files: bytes) -> str:
    infos = []
    for name, data in files.items():
        path = directory / f"{name}.tar"
        path.write_bytes(data)
        infos.append(storage.file_info(str(path)))
    with pytest.raises(ArchiveError) as caught:
        verify_archives(infos, KNOWN)
    return str(caught.value).replace(f"{directory}/", "")


def test_the_published_archives_are_accepted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    infos = []
    for name in ("train.tar", "old.tar", "own.tar"):
        (tmp_path / name).write_bytes(TRAIN)
        infos.append(storage.file_info(str(tmp_path / name)))
    verify_archives(infos, KNOWN)
    sha256 = hashlib.sha256(TRAIN).hexdigest()
    md5 = hashlib.md5(TRAIN).hexdigest()
    assert {record.getMessage() for record in caplog.records} == {
        f"Verifying {tmp_path}/train.tar: 1,500,000 bytes.",
        f"Verifying {tmp_path}/old.tar: 1,500,000 bytes.",
        f"{tmp_path}/train.tar is the published one: its sha256 is {sha256}.",
        f"{tmp_path}/old.tar is the published one: its md5 is {md5}.",
        f"No checksum of {tmp_path}/own.tar is known, so it is not verified.",
    }


def test_a_known_archive_in_the_place_of_another_is_named(tmp_path: Path) -> None:
    assert problem(tmp_path, train=OTHER) == (
        "train.tar is not the published train.tar: it has 4 bytes instead of "
        "1,500,000. It is dogs.tar, the dogs of task 3. Get the other one."
    )


def test_an_archive_of_another_ones_size_is_refused_unread() -> None:
    def file(name: str, size: int) -> FileInfo:
        return FileInfo(f"/none/{name}", size, "1")

    published = {
        "train.tar": known(TRAIN),
        "dogs.tar": known(OTHER, remark="the dogs of task 3"),
        "val.tar": known(b"val"),
        "old.tar": known(b"?", size=None),
        "cats.tar": known(b"?", size=None, mebibytes=2),
    }
    taken = [
        *(file("train.tar", len(TRAIN)), file("dogs.tar", len(OTHER))),
        *(
            file("train.tar", 7),
            file("train.tar", 1 << 20),
            file("own.tar", len(OTHER)),
            file("old.tar", 3),
        ),
    ]
    refuse_mistaken(taken, published)
    for size, told in (
        (len(OTHER), "4 bytes, as dogs.tar has, the dogs of task 3."),
        (3, "3 bytes, as val.tar has."),
        (2 << 20, "2,097,152 bytes, as cats.tar has."),
        ((1 << 20) + 1, "1,048,577 bytes, as cats.tar has."),
    ):
        with pytest.raises(ArchiveError) as caught:
            refuse_mistaken([*taken, file("train.tar", size)], published)
        assert str(caught.value) == (
            "/none/train.tar is not the published train.tar, which has 1,500,000 "
            f"bytes: it has {told} Get train.tar."
        )


def test_a_damaged_archive_is_told_by_its_hash(tmp_path: Path) -> None:
    damaged = TRAIN[:-1] + b"!"
    digest, wanted = (hashlib.sha256(data).hexdigest() for data in (damaged, TRAIN))
    assert problem(tmp_path, train=damaged) == (
        f"train.tar is not the published train.tar: its sha256 is {digest} instead of "
        f"{wanted}. {OTHER_ARCHIVE}"
    )


def test_all_that_is_wrong_is_told(tmp_path: Path) -> None:
    told = problem(tmp_path, train=b"x", old=b"y")
    assert "train.tar is not the published train.tar: it has 1 bytes" in told
    assert "old.tar is not the published old.tar: its md5 is" in told


def test_an_archive_that_splits_share_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "all.zip").write_bytes(OTHER)
    shared = storage.file_info(str(tmp_path / "all.zip"))
    verify_archives([shared, shared], KNOWN)
    assert len(caplog.records) == 1


def test_the_shipped_configurations_know_the_published_archives() -> None:
    config = load_config("1pct", {}, {})
    train = config.known_archives["ILSVRC2012_img_train.tar"]
    assert (train.size, train.md5) == (
        147_897_477_120,
        "1d675b47d978889d74fa0da5fadfb00e",
    )
    for archive in config.known_archives.values():
        assert len(archive.md5) == 32
        assert archive.sha256 is None or len(archive.sha256) == 64


def test_a_build_verifies_when_asked(small_archives: Path, tmp_path: Path) -> None:
    outcome = build(small_archives, tmp_path, "--verify_archives")
    assert outcome.code == 1
    train = small_archives / "ILSVRC2012_img_train.tar"
    assert (
        f"error: {train} is not the published ILSVRC2012_img_train.tar: it has "
        f"{train.stat().st_size:,} bytes instead of 147,897,477,120. "
        f"{OTHER_ARCHIVE}"
    ) in outcome.err
    assert list(tmp_path.iterdir()) == []
