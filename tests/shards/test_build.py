"""One shard: its bytes, its report, and when it is not built again."""

import hashlib
import json
import shutil
import struct
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import google_crc32c
import pyarrow as pa
import pytest
from blake3 import blake3

from tests.helpers.archives import PNG_START, image, tar
from transforms import storage
from transforms.archives.containers import Archive
from transforms.errors import StorageError
from transforms.formats.listing import FileFacts
from transforms.formats.places import Places
from transforms.formats.records import Example, Schema, Source
from transforms.formats.table import FORMATS
from transforms.formats.tf_example import decode_example
from transforms.images.policy import ImagePolicy
from transforms.images.treatment import treat_image
from transforms.planning.spec import SHARD_SCHEMA, ShardSpec
from transforms.shards.build import build_shard, shard_fingerprints
from transforms.shards.output import ShardOutput
from transforms.shards.report import ShardReport, decode_report
from transforms.storage import Checksum

CMYK = image(1, "CMYK")
PNG = image(2, "RGBA", "PNG")
IMAGES = (
    ("n01440764_1.JPEG", image(3)),
    ("n01440764_22.JPEG", CMYK),
    ("n01440764_333.JPEG", PNG),
    ("n01440764_4.JPEG", image(4, "L")),
    ("n01440764_5.JPEG", image(5)[:-4]),  # nothing is decoded without need, as in TFDS
)
# Neither archive order nor sorted; labels of one, two and ten bytes.
ROWS = ((3, 0), (1, 127), (0, 999), (4, -1), (2, 128))

MakeSpec = Callable[..., ShardSpec]


@pytest.fixture
def make_spec(tmp_path: Path) -> MakeSpec:
    """Returns a function that writes a tar and a spec of some of its members."""

    def make(
        images: Sequence[tuple[str, bytes]] = IMAGES,
        rows: Sequence[tuple[int, int]] = ROWS,
    ) -> ShardSpec:
        path = tmp_path / "images.tar"
        path.write_bytes(tar(images))
        archive_of = Archive("train", storage.file_info(str(path)), "tar")
        with tarfile.open(path, "r:") as archive:
            places = archive.getmembers()
        members = [
            {
                "archive": 0,
                "name": places[position].name,
                "file": "",
                "offset": places[position].offset_data,
                "size": places[position].size,
                "detail": "",
                "label": label,
                "labels": [],
            }
            for position, label in rows
        ]
        return ShardSpec(
            "train", 1, 3, (archive_of,), pa.Table.from_pylist(members, SHARD_SCHEMA)
        )

    return make


@pytest.fixture
def output(tmp_path: Path) -> ShardOutput:
    return ShardOutput(
        places=Places(str(tmp_path / "out"), "made_up", "some", "1.0.0"),
        formats=("tfrecord",),
        schema=Schema(tuple(f"n{i:08d}" for i in range(1000))),
        images={"train": ImagePolicy(), "test": ImagePolicy()},
    )


def directory(output: ShardOutput) -> Path:
    return Path(output.places.data_dir, "made_up", "some", "1.0.0")


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    digits = []
    while True:
        value, digit = value >> 7, value & 0x7F
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)


def field(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + varint(len(data)) + data


def record(name: str, data: bytes, label: int) -> bytes:
    """Returns a serialised Example, built from the inside out."""
    features = {
        b"file_name": field(0x0A, field(0x0A, name.encode())),
        b"image": field(0x0A, field(0x0A, data)),
        b"label": field(0x1A, field(0x0A, varint(label))),
    }
    entries = (
        field(0x0A, field(0x0A, key) + field(0x12, feature))
        for key, feature in features.items()
    )
    return field(0x0A, b"".join(entries))


def framed(data: bytes) -> bytes:
    def check(part: bytes) -> bytes:
        crc = google_crc32c.value(part)
        rotated = ((crc >> 15) | (crc << 17)) & 0xFFFFFFFF
        return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(data))
    return length + check(length) + data + check(data)


EXPECTED = [
    record("n01440764_4.JPEG", image(4, "L"), 0),
    record("n01440764_22.JPEG", treat_image(CMYK, ImagePolicy()).data, 127),
    record("n01440764_1.JPEG", image(3), 999),
    record("n01440764_5.JPEG", image(5)[:-4], -1),
    record("n01440764_333.JPEG", treat_image(PNG, ImagePolicy()).data, 128),
]


def shard_path(output: ShardOutput) -> Path:
    return directory(output) / "made_up-train.tfrecord-00001-of-00003"


def report_path(output: ShardOutput) -> Path:
    return directory(output) / ".tfrecord.reports" / "train-00001-of-00003.json"


def stored(spec: ShardSpec, output: ShardOutput) -> ShardReport | None:
    """Returns the report as it lies beside the shard."""
    fingerprint = shard_fingerprints(spec, output)["tfrecord"]
    decoded = decode_report(report_path(output).read_bytes(), fingerprint)
    return decoded[0] if decoded else None


def state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def test_a_shard_holds_its_records_in_the_order_of_the_spec(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    build_shard(make_spec(), output)
    assert shard_path(output).read_bytes() == b"".join(map(framed, EXPECTED))


def test_a_report_says_what_became_of_the_shard(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    spec = make_spec()
    report = build_shard(spec, output)
    content = b"".join(map(framed, EXPECTED))
    digest = f"blake3:{blake3(content).hexdigest()}"
    file = FileFacts(shard_path(output).name, len(content), 5, digest)
    assert report == ShardReport(
        split="train",
        index=1,
        count=3,
        wanted=5,
        archives=spec.archives,
        files={"tfrecord": (file,)},
        statistics=report.statistics,
        rejected=(),
    )
    assert stored(spec, output) == report
    # What is counted has tests of its own; here, that it is counted of this shard.
    assert report.statistics.examples == 5
    assert report.statistics.example_bytes == sum(map(len, EXPECTED))
    assert report.statistics.counts["repaired"] == {"cmyk": 1, "png": 1}
    assert report.statistics.labels == dict.fromkeys((0, 127, 999, -1, 128), 1)
    assert report.statistics.hashes.num_rows == 5
    assert sorted(path.name for path in directory(output).rglob("*")) == [
        ".tfrecord.reports",
        shard_path(output).name,
        report_path(output).name,
    ]


def test_more_members_than_are_announced_ahead_come_in_order(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    images = [(f"n01440764_{number}.JPEG", image(number)) for number in range(50)]
    rows = [(number * 7 % 50, number) for number in range(50)]
    build_shard(make_spec(images, rows), output)
    assert shard_path(output).read_bytes() == b"".join(
        framed(record(*images[position], label)) for position, label in rows
    )


def test_members_may_lie_in_several_archives(
    tmp_path: Path, make_spec: MakeSpec, output: ShardOutput
) -> None:
    spec = make_spec(IMAGES[:1], [(0, 5)])
    patch = tmp_path / "patch.tar"
    patch.write_bytes(tar([("other.JPEG", image(9))]))
    row = {"archive": 1, "name": "other.JPEG", "offset": 512, "label": -1}
    row |= {"size": len(image(9)), "file": "", "detail": "", "labels": []}
    other = pa.Table.from_pylist([row], SHARD_SCHEMA)
    build_shard(
        replace(
            spec,
            archives=(
                *spec.archives,
                Archive("train", storage.file_info(str(patch)), "tar"),
            ),
            members=pa.concat_tables([other, spec.members]),
        ),
        output,
    )
    assert shard_path(output).read_bytes() == framed(
        record("other.JPEG", image(9), -1)
    ) + framed(record("n01440764_1.JPEG", image(3), 5))


def test_a_finished_shard_is_not_built_again(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    spec = make_spec()
    report = build_shard(spec, output)
    before = state(shard_path(output)), state(report_path(output))
    assert build_shard(spec, output) == report
    assert (state(shard_path(output)), state(report_path(output))) == before


def test_a_finished_shard_that_was_moved_is_read_and_not_built_again(
    make_spec: MakeSpec, output: ShardOutput, tmp_path: Path
) -> None:
    spec = make_spec()
    report = build_shard(spec, output)
    copy = tmp_path / "copy"
    shutil.copytree(output.places.data_dir, copy)
    moved = replace(output, places=replace(output.places, data_dir=str(copy)))
    before = state(shard_path(moved))
    assert build_shard(spec, moved) == report
    assert state(shard_path(moved)) == before


def test_a_shard_of_an_earlier_version_is_not_built_again(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    spec, asked = make_spec(), replace(output, checksum="sha256")
    report = build_shard(spec, asked)

    def with_sha256_alone(found: Any) -> None:
        (file,) = found["files"]["tfrecord"]
        file["sha256"] = file.pop("digest").removeprefix("sha256:")

    _rewrite_report(output, with_sha256_alone)
    before = state(shard_path(output))
    assert build_shard(spec, asked) == report
    (file,) = build_shard(spec, output).files["tfrecord"]
    content = shard_path(output).read_bytes()
    assert file.digest == f"blake3:{blake3(content).hexdigest()}"
    assert state(shard_path(output)) == before


@pytest.mark.parametrize(
    ("first", "then"), [("blake3", "sha256"), ("sha256", "blake3")]
)
def test_a_finished_shard_gets_the_hash_that_is_asked_for(
    first: Checksum, then: Checksum, make_spec: MakeSpec, output: ShardOutput
) -> None:
    oracles: dict[str, Any] = {"blake3": blake3, "sha256": hashlib.sha256}
    spec = make_spec()
    for checksum in (first, then):
        report = build_shard(spec, replace(output, checksum=checksum))
        digits = oracles[checksum](shard_path(output).read_bytes()).hexdigest()
        assert report.files["tfrecord"][0].digest == f"{checksum}:{digits}"


def _lose_report(output: ShardOutput) -> None:
    report_path(output).unlink()


def _mangle_report(output: ShardOutput) -> None:
    report_path(output).write_text("{")


def _empty_report(output: ShardOutput) -> None:
    report_path(output).write_text("{}")


def _list_report(output: ShardOutput) -> None:
    report_path(output).write_text("[]")


def _change_fingerprint(output: ShardOutput) -> None:
    report = json.loads(report_path(output).read_bytes())
    report_path(output).write_text(json.dumps({**report, "fingerprint": "0" * 64}))


def _rewrite_report(output: ShardOutput, change: Callable[[Any], None]) -> None:
    """Changes a report as another program would have written it, with its own hash."""
    found = json.loads(report_path(output).read_bytes())
    del found["sha256"]
    change(found)
    digest = hashlib.sha256(json.dumps(found).encode()).hexdigest()
    report_path(output).write_text(json.dumps({"sha256": digest} | found))


def _change_a_number(output: ShardOutput) -> None:
    report = json.loads(report_path(output).read_bytes())
    report["statistics"]["image_bytes"] += 1
    report_path(output).write_text(json.dumps(report))


def _add_a_field(output: ShardOutput) -> None:
    _rewrite_report(output, lambda found: found.update(colour="blue"))


def _lose_a_field(output: ShardOutput) -> None:
    _rewrite_report(output, lambda found: found.pop("counts"))


def _change_a_type(output: ShardOutput) -> None:
    _rewrite_report(output, lambda found: found["statistics"].update(labels=3))


def _raise_the_format(output: ShardOutput) -> None:
    _rewrite_report(output, lambda found: found.update(format=found["format"] + 1))


def _add_a_statistic(output: ShardOutput) -> None:
    def change(found: Any) -> None:
        found["statistics"]["kinds"]["counted"].append("colours")
        found["statistics"]["counts"]["colours"] = {}

    _rewrite_report(output, change)


def _lose_a_statistic(output: ShardOutput) -> None:
    def change(found: Any) -> None:
        del found["statistics"]["kinds"]["quantities"]["aspect"]
        del found["statistics"]["histograms"]["aspect"]

    _rewrite_report(output, change)


def _change_a_unit(output: ShardOutput) -> None:
    def change(found: Any) -> None:
        found["statistics"]["kinds"]["quantities"]["aspect"] = 1000

    _rewrite_report(output, change)


def _lose_shard(output: ShardOutput) -> None:
    shard_path(output).unlink()


def _cut_shard(output: ShardOutput) -> None:
    shard_path(output).write_bytes(shard_path(output).read_bytes()[:-1])


def _lengthen_shard(output: ShardOutput) -> None:
    shard_path(output).write_bytes(shard_path(output).read_bytes() + b"\0")


def _flip_a_bit(output: ShardOutput) -> None:
    content = bytearray(shard_path(output).read_bytes())
    content[len(content) // 2] ^= 1
    shard_path(output).write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [
        _lose_report,
        _mangle_report,
        _empty_report,
        _list_report,
        _change_fingerprint,
        _change_a_number,
        _add_a_field,
        _lose_a_field,
        _change_a_type,
        _raise_the_format,
        _add_a_statistic,
        _lose_a_statistic,
        _change_a_unit,
        _lose_shard,
        _cut_shard,
        _lengthen_shard,
        _flip_a_bit,
    ],
)
def test_a_shard_that_its_report_does_not_prove_is_built_again(
    make_spec: MakeSpec, output: ShardOutput, spoil: Callable[[ShardOutput], None]
) -> None:
    spec = make_spec()
    report = build_shard(spec, output)
    spoil(output)
    before = state(shard_path(output)) if shard_path(output).exists() else None
    assert build_shard(spec, output) == report
    assert state(shard_path(output)) != before
    assert shard_path(output).read_bytes() == b"".join(map(framed, EXPECTED))
    assert stored(spec, output) == report


def other_file(spec: ShardSpec, **changes: Any) -> ShardSpec:
    (archive,) = spec.archives
    other = replace(archive, file=replace(archive.file, **changes))
    return replace(spec, archives=(other,))


def _relabel(spec: ShardSpec) -> pa.Table:
    labels = pa.array([7, *spec.members["label"].to_pylist()[1:]])
    position = spec.members.schema.get_field_index("label")
    return spec.members.set_column(position, SHARD_SCHEMA.field("label"), labels)


@pytest.mark.parametrize(
    "change",
    [
        lambda spec, output: (replace(spec, split="test"), output),
        lambda spec, output: (replace(spec, index=2), output),
        lambda spec, output: (replace(spec, count=4), output),
        lambda spec, output: (replace(spec, members=spec.members[:4]), output),
        lambda spec, output: (replace(spec, members=spec.members[::-1]), output),
        lambda spec, output: (replace(spec, members=_relabel(spec)), output),
        lambda spec, output: (other_file(spec, generation="1"), output),
        lambda spec, output: (other_file(spec, size=1), output),
        lambda spec, output: (replace(spec, files={"tfrecord": 2}), output),
        lambda spec, output: (spec, replace(output, schema=Schema(("n0", "n1")))),
        lambda spec, output: (spec, replace(output, pixels=True)),
        lambda spec, output: (
            spec,
            replace(output, images={"train": ImagePolicy(policy="keep")}),
        ),
        lambda spec, output: (
            spec,
            replace(output, places=replace(output.places, dataset="other")),
        ),
    ],
    ids=[
        "split",
        "index",
        "count",
        "fewer members",
        "other order",
        "other label",
        "archive modified",
        "archive longer",
        "more files",
        "schema",
        "pixels",
        "policy",
        "dataset",
    ],
)
def test_a_fingerprint_changes_with_what_decides_the_bytes(
    make_spec: MakeSpec,
    output: ShardOutput,
    change: Callable[[ShardSpec, ShardOutput], tuple[ShardSpec, ShardOutput]],
) -> None:
    spec = make_spec()
    fingerprint = shard_fingerprints(spec, output)["tfrecord"]
    assert shard_fingerprints(*change(spec, output))["tfrecord"] != fingerprint


def test_a_fingerprint_does_not_change_with_how_the_table_lies_in_memory(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    spec = make_spec()
    chunks = pa.concat_tables([spec.members[:2], spec.members[2:]])
    longer = pa.concat_tables([spec.members, spec.members]).combine_chunks()
    for members in (chunks, longer[:5], longer[5:]):
        again = replace(spec, members=members)
        assert shard_fingerprints(again, output) == shard_fingerprints(spec, output)
    # Nor with where the dataset lies: it may be moved between two runs.
    moved = replace(output, places=replace(output.places, data_dir="/elsewhere"))
    assert shard_fingerprints(spec, moved) == shard_fingerprints(spec, output)


def test_an_archive_that_changed_since_it_was_indexed_is_refused(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    spec = make_spec()
    path = Path(spec.archives[0].file.uri)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + bytes(512))
    with pytest.raises(StorageError) as caught:
        build_shard(spec, output)
    assert str(caught.value) == (
        f"{path} has changed since the build began: it had {size:,} bytes, now "
        f"{size + 512:,}, or was modified. Rerun when nothing writes to it."
    )
    assert [path for path in directory(output).rglob("*") if path.is_file()] == []


BROKEN_PNG = PNG_START + b"not a png at all"
# The headers are whole, so that it is known to be CMYK; there is no picture.
BROKEN_CMYK = CMYK[: CMYK.index(b"\xff\xda")]


BAD = {
    "no PNG": (BROKEN_PNG, "undecodable"),
    "cut PNG": (PNG[:60], "truncated"),
    "cut CMYK": (BROKEN_CMYK, "truncated"),
    "empty": (b"", "empty"),
    "text": (b"not an image", "wrong_kind"),
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_a_bad_image_is_reported_and_the_others_are_written(
    make_spec: MakeSpec, output: ShardOutput, data: bytes, reason: str
) -> None:
    first, bad, last = "n01440764_1.JPEG", "n01440764_2.JPEG", "n01440764_3.JPEG"
    images = [(first, image(3)), (bad, data), (last, image(4))]
    offset = 512 + -(-len(image(3)) // 512) * 512 + 512
    spec = make_spec(images, [(0, 0), (1, 7), (2, 1)])
    report = build_shard(spec, output)
    (rejected,) = report.rejected
    assert rejected.source == Source(
        bad, 7, spec.archives[0].file.uri, offset, len(data)
    )
    assert rejected.reason == reason
    assert rejected.message
    assert (report.wanted, report.statistics.examples) == (3, 2)
    assert report.files["tfrecord"][0].examples == 2
    assert shard_path(output).read_bytes() == framed(
        record(first, image(3), 0)
    ) + framed(record(last, image(4), 1))


def test_a_bad_image_does_not_move_the_others_to_another_file(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    images = [
        (f"n01440764_{i}.JPEG", b"" if i in (0, 3) else image(i)) for i in range(6)
    ]
    spec = replace(
        make_spec(images, [(i, i) for i in range(6)]), files={"webdataset": 3}
    )
    report = build_shard(spec, replace(output, formats=("webdataset",)))
    assert [file.examples for file in report.files["webdataset"]] == [1, 1, 2]
    assert [each.source.name for each in report.rejected] == [
        "n01440764_0.JPEG",
        "n01440764_3.JPEG",
    ]


def test_a_failed_shard_leaves_the_one_of_an_earlier_run_alone(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    build_shard(make_spec(), output)
    digest = hashlib.sha256(shard_path(output).read_bytes()).hexdigest()
    spec = make_spec()
    with Path(spec.archives[0].file.uri).open("ab") as archive:
        archive.write(bytes(512))
    with pytest.raises(StorageError):
        build_shard(spec, output)
    assert hashlib.sha256(shard_path(output).read_bytes()).hexdigest() == digest


def test_a_member_that_ends_behind_its_archive_is_refused(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    spec = make_spec(IMAGES[:1], [(0, 0)])
    row = {**spec.members.to_pylist()[0], "size": 10_000_000}
    too_long = replace(spec, members=pa.Table.from_pylist([row], SHARD_SCHEMA))
    size = spec.archives[0].file.size
    with pytest.raises(StorageError) as caught:
        build_shard(too_long, output)
    assert str(caught.value) == (
        f"{spec.archives[0].file.uri} ends at byte {size:,}, but 10,000,000 bytes "
        "from 512 were expected. The file is truncated or has changed: get "
        "it again and rerun."
    )


def test_the_shard_reads_back_with_its_own_format(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    build_shard(make_spec(), output)
    records = FORMATS["tfrecord"].codec.read(str(shard_path(output)))
    assert [(example.file_name, example.label) for example in records] == [
        (IMAGES[position][0], label) for position, label in ROWS
    ]


def read_back(output: ShardOutput, format_name: str, name: str) -> list[Example]:
    path = Path(output.places.directory(format_name), name)
    return list(FORMATS[format_name].codec.read(str(path)))


ALL = ("tfrecord", "array_record", "parquet", "webdataset")


def test_every_format_holds_the_same_records(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    output = replace(output, formats=ALL)
    report = build_shard(make_spec(), output)
    assert tuple(report.files) == ALL
    expected = [decode_example(data) for data in EXPECTED]
    for name, (file,) in report.files.items():
        assert read_back(output, name, file.name) == expected
        path = Path(output.places.directory(name), file.name)
        assert (file.size, file.examples) == (path.stat().st_size, 5)


def test_one_format_alone_has_the_bytes_it_has_among_others(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    spec = make_spec()
    elsewhere = replace(output.places, data_dir=output.places.data_dir + "-together")
    together = replace(output, formats=ALL, places=elsewhere)
    report = build_shard(spec, together)
    for name, files in report.files.items():
        alone = replace(output, formats=(name,))
        assert build_shard(spec, alone) == replace(report, files={name: files})
        for file in files:
            assert (
                Path(alone.places.directory(name), file.name).read_bytes()
                == Path(together.places.directory(name), file.name).read_bytes()
            )


def test_a_shard_may_have_several_files(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    output = replace(output, formats=("webdataset", "tfrecord"))
    spec = replace(make_spec(), files={"webdataset": 3})
    report = build_shard(spec, output)
    tars, records = report.files["webdataset"], report.files["tfrecord"]
    # round(5 / 3) and round(10 / 3); the second shard of three begins at file three.
    assert [(file.name, file.examples) for file in tars] == [
        ("train-000003.tar", 2),
        ("train-000004.tar", 1),
        ("train-000005.tar", 2),
    ]
    assert [(file.name, file.examples) for file in records] == [
        ("made_up-train.tfrecord-00001-of-00003", 5)
    ]
    found = [
        example
        for file in tars
        for example in read_back(output, "webdataset", file.name)
    ]
    assert found == [decode_example(data) for data in EXPECTED]


def test_a_format_that_is_there_is_not_written_with_the_others(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    spec = make_spec()
    build_shard(spec, output)
    before = state(shard_path(output))
    report = build_shard(spec, replace(output, formats=("array_record", "tfrecord")))
    assert list(report.files) == ["array_record", "tfrecord"]
    assert state(shard_path(output)) == before


@pytest.mark.parametrize(
    ("format_name", "mark"),
    [
        ("tfrecord", "out/made_up/some/1.0.0/dataset_info.json"),
        ("parquet", "out/parquet/made_up/1.0.0/some/manifest.json"),
        ("webdataset", "out/webdataset/made_up/1.0.0/some/manifest.json"),
    ],
)
def test_a_dataset_that_is_being_replaced_is_not_complete(
    make_spec: MakeSpec,
    output: ShardOutput,
    tmp_path: Path,
    format_name: str,
    mark: str,
) -> None:
    output = replace(output, formats=(format_name,), overwrite=True)
    path = tmp_path / mark
    path.parent.mkdir(parents=True)
    path.write_text('{"fileFormat": "tfrecord"}')
    assert format_name in output.places.finished_formats(format_name)
    build_shard(make_spec(), output)
    assert not path.exists()
    assert format_name not in output.places.finished_formats(format_name)


def test_a_format_beside_a_finished_one_leaves_it_complete(
    make_spec: MakeSpec, output: ShardOutput
) -> None:
    directory(output).mkdir(parents=True)
    info = directory(output) / "dataset_info.json"
    info.write_text('{"fileFormat": "tfrecord", "alternativeFileFormats": ["riegeli"]}')
    assert output.places.finished_formats("array_record") == ["tfrecord", "riegeli"]
    build_shard(make_spec(), replace(output, formats=("array_record",)))
    assert info.exists()


@pytest.mark.parametrize(
    "text",
    [
        '{"fileFormat": 3}',
        '{"fileFormat": "tfrecord", "alternativeFileFormats": "array_record"}',
        '{"fileFormat": "tfrecord", "alternativeFileFormats": [null]}',
        '{"fileFormat": "tfrecord", "alternativeFileFormats": 7}',
    ],
)
def test_a_mark_that_names_no_formats_is_named(output: ShardOutput, text: str) -> None:
    directory(output).mkdir(parents=True)
    info = directory(output) / "dataset_info.json"
    info.write_text(text)
    with pytest.raises(StorageError) as caught:
        output.places.finished_formats("tfrecord")
    assert str(caught.value) == (
        f"{info} should name the formats of the directory as text. Remove it, or build "
        "the dataset with --overwrite."
    )


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_mark_that_is_no_json_is_named(output: ShardOutput, text: str) -> None:
    directory(output).mkdir(parents=True)
    info = directory(output) / "dataset_info.json"
    info.write_text(text)
    with pytest.raises(StorageError, match=f"{info} .*JSON.* Remove it"):
        output.places.finished_formats("tfrecord")
