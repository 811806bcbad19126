"""One file reread: what its bytes show, whatever they are."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.archives import image
from transforms import storage
from transforms.formats.records import Example, Schema
from transforms.formats.table import FORMATS
from transforms.images.policy import ImagePolicy
from transforms.planning.order import order_keys
from transforms.statistics.duplicates import content_hash
from transforms.verification.files import FileCheck, check_file, image_fault
from transforms.verification.findings import MOST_LISTED, Problem
from transforms.verification.inventory import ImageCheck, ShardFile
from transforms.verification.steps import CheckFiles

SCHEMA = Schema(("n01440764", "n01443537"))
SPLIT = "train"


def in_order(names: list[str]) -> list[str]:
    keys = order_keys(names, SPLIT).to_pylist()
    return [name for _, name in sorted(zip(keys, names, strict=True))]


RECORDS = [
    Example(name, image(number), number % 2)
    for number, name in enumerate(in_order([f"n_{i}.JPEG" for i in range(3)]))
]


def write(path: Path, format_name: str, records: list[Example]) -> ShardFile:
    """Writes a file, and returns what a manifest would say of it."""
    with FORMATS[format_name].codec.publish(str(path), SCHEMA) as file:
        for record in records:
            file.writer.write(record)
    return ShardFile(
        uri=str(path),
        path=path.name,
        config="demo",
        format=format_name,
        split=SPLIT,
        index=0,
        examples=len(records),
        size=file.publication.tell(),
        digest=file.publication.digest(),
        images=ImagePolicy(),
    )


def unhashed(file: ShardFile) -> ShardFile:
    return replace(file, size=None, digest=None)


def flips(path: Path, offsets: list[int]) -> Iterator[int]:
    """Flips one bit of a file at a time; the bits take turns."""
    data = path.read_bytes()
    for turn, offset in enumerate(offsets):
        spoiled = bytearray(data)
        spoiled[offset] ^= 1 << turn % 8
        path.write_bytes(spoiled)
        yield offset
    path.write_bytes(data)


def every_kind_of_byte(data: bytes) -> list[int]:
    """Returns the offsets of a file's bytes, of long runs of zeros and images few."""
    ends = {*range(150), *range(len(data) - 150, len(data))}
    names = {
        offset
        for record in RECORDS
        for start in [data.find(record.file_name.encode())]
        for offset in range(start - 30, start + 40)
    }
    other = {o for o in range(0, len(data), 5) if data[o] or o % 997 == 0}
    return sorted(ends | names | other)


@pytest.mark.parametrize("name", FORMATS)
def test_an_untouched_file_is_whole(name: str, tmp_path: Path) -> None:
    file = write(tmp_path / "file", name, RECORDS)
    found = check_file(file, "decode")
    assert found.records.to_pylist() == [
        {
            "record": number,
            "name": record.file_name,
            "label": record.label,
            "labels": [],
            "image_bytes": len(record.image),
            "digest": content_hash(record.image),
        }
        for number, record in enumerate(RECORDS)
    ]
    assert (found.size, found.whole) == (file.size, True)
    assert found.encodings == {"jpeg": 3}
    assert found.findings.total == 0
    assert [file] | CheckFiles("decode") == [found]


@pytest.mark.parametrize("name", FORMATS)
def test_every_kind_of_flipped_bit_is_found_by_the_hash(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    file = write(path, name, RECORDS)
    offsets = every_kind_of_byte(path.read_bytes())[::7]
    for offset in flips(path, offsets):
        first, *_ = check_file(file, "none").findings.listed
        assert first.check == "hash", offset
        assert first.message == (
            f"Its digest is {storage.file_digest(str(path))}, expected {file.digest}: "
            "its bytes are not those that were written."
        )
    assert check_file(file, "none").findings.total == 0


def test_tfrecord_shows_every_flipped_bit_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = unhashed(write(path, "tfrecord", RECORDS))
    for offset in flips(path, every_kind_of_byte(path.read_bytes())):
        assert check_file(file, "none").findings.total, offset


@pytest.mark.parametrize("name", ["array_record", "parquet"])
def test_a_flipped_bit_that_goes_unseen_without_a_hash_changes_no_record(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    file = unhashed(write(path, name, RECORDS))
    whole = check_file(file, "none")
    seen = 0
    offsets = every_kind_of_byte(path.read_bytes())
    for offset in flips(path, offsets):
        found = check_file(file, "none")
        seen += bool(found.findings.total)
        assert found.findings.total or found.records == whole.records, offset
    # The rest are padding, signatures, statistics and the index of pages.
    assert seen > len(offsets) / 3


def test_a_tar_shows_flipped_bits_of_all_but_contents(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = unhashed(write(path, "webdataset", RECORDS))
    data = path.read_bytes()
    headers = [o for o in range(0, 9 * 512, 3) if b"ustar" in data[o - o % 512 :][:512]]
    label = data.index(b"0", data.index(b".cls") + 512)
    for offset in flips(path, [*headers, label, len(data) - 1000]):
        mode_of_checksum = data[offset - 1 : offset + 1]
        found = check_file(file, "none")
        # Behind the digits of a header's checksum is a space that nobody reads.
        assert found.findings.total or mode_of_checksum == b"\0 ", offset


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_off_is_found_with_and_without_a_hash(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    file = write(path, name, RECORDS)
    data = path.read_bytes()
    for length in (0, 1, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        sized, *others = check_file(file, "none").findings.listed
        assert sized == Problem(
            "file", "hash", f"It has {length:,} bytes, expected {len(data):,}."
        )
        assert list(check_file(unhashed(file), "none").findings.listed) == others
        # A tar's last bytes are padding that no reader asks for.
        in_padding = (name, length) == ("webdataset", len(data) - 1)
        assert [problem.check for problem in others] in (
            [["framing"], ["count"]] if not in_padding else [[]]
        )


def test_a_missing_file_is_a_problem_and_no_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = write(path, "tfrecord", RECORDS)
    path.unlink()
    found = check_file(file, "header")
    assert (found.size, found.whole, found.records.num_rows) == (0, False, 0)
    assert found.findings.listed == (
        Problem(
            "file", "file", f"Can't find {path}. There is no such file or directory."
        ),
    )


@pytest.mark.parametrize("said", [2, 4])
def test_another_number_of_records_is_found(said: int, tmp_path: Path) -> None:
    file = replace(write(tmp_path / "file", "parquet", RECORDS), examples=said)
    assert check_file(file, "header").findings.listed == (
        Problem("file", "count", f"It has 3 records, expected {said}."),
    )


# --- Records --------------------------------------------------------------------------


def many(number: int) -> list[Example]:
    names = in_order([f"n_{i}.JPEG" for i in range(number)])
    return [Example(name, image(i), 0) for i, name in enumerate(names)]


def checked(path: Path, records: list[Example]) -> FileCheck:
    return check_file(unhashed(write(path, "tfrecord", records)), "header")


def test_all_damaged_records_are_named_and_the_others_looked_at(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    records = many(10)
    file = unhashed(write(path, "tfrecord", records))
    data = bytearray(path.read_bytes())
    places = []
    for number in (2, 7):
        place = data.index(records[number].image)
        data[place] ^= 1
        places.append(data.rindex(b"\n", 0, place))
    path.write_bytes(data)
    found = check_file(file, "header")
    assert [(p.check, p.record) for p in found.findings.listed] == [
        ("framing", 2),
        ("framing", 7),
    ]
    for problem in found.findings.listed:
        assert problem.message.startswith("The record at byte ")
        assert problem.message.endswith(" fails its checksum.")
    assert not found.whole
    assert found.records["record"].to_pylist() == [0, 1, 3, 4, 5, 6, 8, 9]
    assert found.records["name"].to_pylist() == [
        record.file_name for i, record in enumerate(records) if i not in (2, 7)
    ]


def test_what_is_lost_behind_a_damaged_row_group_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "file"
    records = many(230)
    file = unhashed(write(path, "parquet", records))
    data = bytearray(path.read_bytes())
    data[data.index(records[150].image)] ^= 1
    path.write_bytes(data)
    found = check_file(file, "header")
    (problem,) = found.findings.listed
    assert (problem.check, problem.record) == ("framing", 100)
    assert problem.message.endswith(" 99 records after it can't be read either.")
    assert found.records["record"].to_pylist() == [*range(100), *range(200, 230)]


def test_a_bounded_number_of_problems_is_listed_and_the_rest_counted(
    tmp_path: Path,
) -> None:
    records = [replace(record, image=b"no image") for record in many(50)]
    found = checked(tmp_path / "file", records).findings
    assert len(found.listed) == MOST_LISTED
    assert found.omitted == {"file": 50 - MOST_LISTED}
    assert found.total == 50
    assert found.by_file() == {"file": 50}


def test_swapped_records_are_out_of_order(tmp_path: Path) -> None:
    records = many(10)
    records[3], records[4] = records[4], records[3]
    found = checked(tmp_path / "file", records).findings
    before, name = records[3].file_name, records[4].file_name
    assert found.listed == (
        Problem(
            "file",
            "order",
            f"{name} comes after {before} and belongs before it: the order is that "
            "of the MD5 of split and name.",
            4,
        ),
    )


def test_a_repeated_record_is_found(tmp_path: Path) -> None:
    records = many(10)
    records.insert(5, records[4])
    found = checked(tmp_path / "file", records).findings
    assert found.listed == (
        Problem("file", "order", f"{records[4].file_name} is there twice.", 5),
    )


# --- Images ---------------------------------------------------------------------------


def noise(kind: str, mode: str = "RGB") -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(encoded, kind)
    return encoded.getvalue()


JPEG, PNG, WEBP = noise("JPEG"), noise("PNG"), noise("WEBP")
KEEP = ImagePolicy(policy="keep")
TO_WEBP = ImagePolicy(policy="reencode", encoding="webp")


@pytest.mark.parametrize(
    ("data", "policy"),
    [
        pytest.param(JPEG, ImagePolicy(), id="JPEG"),
        pytest.param(noise("JPEG", "L"), ImagePolicy(), id="grey"),
        pytest.param(noise("JPEG", "CMYK"), KEEP, id="CMYK"),
        pytest.param(PNG, KEEP, id="PNG"),
        pytest.param(WEBP, TO_WEBP, id="WebP"),
        # What decoders only warn of is in ILSVRC2012 too.
        pytest.param(JPEG[:-2] + b"junk\xff\xd9", ImagePolicy(), id="junk"),
        pytest.param(JPEG, ImagePolicy(max_pixels=9, max_bytes=9), id="over bounds"),
    ],
)
@pytest.mark.parametrize("images", ["header", "decode"])
def test_images_that_a_build_writes_are_whole(
    data: bytes, policy: ImagePolicy, images: ImageCheck
) -> None:
    assert image_fault(data, policy, images)[1] is None


@pytest.mark.parametrize("images", ["header", "decode"])
@pytest.mark.parametrize(
    ("data", "policy", "encoding", "fault"),
    [
        (b"", ImagePolicy(), "unknown", "expected jpeg, found unknown: it begins with"),
        (b"<html>", KEEP, "unknown", "expected jpeg or png, found unknown: it begins"),
        (noise("GIF"), KEEP, "gif", "expected jpeg or png, found gif"),
        (PNG, ImagePolicy(), "png", "expected jpeg, found png"),
        (JPEG, TO_WEBP, "jpeg", "expected webp, found jpeg"),
        (JPEG[:300], ImagePolicy(), "jpeg", "it can't be decoded: it ends before"),
        (PNG[:20], KEEP, "png", "it can't be decoded: it is a PNG without a header"),
        (WEBP[:20], TO_WEBP, "webp", "it can't be decoded"),
    ],
)
def test_images_whose_header_is_wrong_are_found(
    data: bytes, policy: ImagePolicy, encoding: str, fault: str, images: ImageCheck
) -> None:
    found, told = image_fault(data, policy, images)
    assert found == encoding
    assert told is not None
    assert told.startswith(fault)


@pytest.mark.parametrize(
    ("data", "policy"),
    [
        (JPEG[: len(JPEG) // 2], KEEP),
        (JPEG[:-2], KEEP),
        (PNG[:2000], KEEP),
        (WEBP[:2000], TO_WEBP),
    ],
)
def test_images_that_end_early_are_found_by_decoding(
    data: bytes, policy: ImagePolicy
) -> None:
    assert image_fault(data, policy, "header")[1] is None
    assert image_fault(data, policy, "decode")[1] is not None


def test_a_damaged_image_is_named_with_its_record(tmp_path: Path) -> None:
    records = [*RECORDS[:2], replace(RECORDS[2], image=JPEG[:900])]
    file = write(tmp_path / "file", "webdataset", records)
    assert check_file(file, "none").findings.total == 0
    assert check_file(file, "none").encodings == {}
    assert check_file(file, "header").findings.total == 0
    (problem,) = check_file(file, "decode").findings.listed
    assert (problem.check, problem.record) == ("image", 2)
    assert problem.message.startswith(
        f"The image of {RECORDS[2].file_name} is damaged: it can't be decoded: "
    )
