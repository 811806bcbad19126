"""The pipelines of docs/library.md, run as they stand in the page."""

import io
import json
import re
import sys
import tarfile
import textwrap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.documents.quarantine import SCHEMA

PAGE = (Path(__file__).parents[1] / "docs" / "library.md").read_text()


def run(heading: str, monkeypatch: pytest.MonkeyPatch, *arguments: Path) -> None:
    """Runs the one block of code below a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"(?:(?:^ {4}.*)?\n)+(?:^ {4}.*\n)", section, re.MULTILINE)
    monkeypatch.setattr(sys, "argv", ["library.py", *map(str, arguments)])
    exec(
        compile(textwrap.dedent(block), "library.py", "exec"), {"__name__": "__main__"}
    )


def read_tar(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {
            member.name: tar.extractfile(member).read()  # type: ignore[union-attr]
            for member in tar
        }


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_tars_become_shards_of_a_webdataset(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_tar(
        tmp_path / "cat.tar", {"a.jpg": b"\xff\xd8 tom", "b.jpg": b"\xff\xd8 tim"}
    )
    write_tar(tmp_path / "dog.tar", {"c.jpg": b"\xff\xd8 rex"})
    shards = tmp_path / "shards"
    shards.mkdir()
    run("Tars of your own to WebDataset", monkeypatch, tmp_path, shards)
    assert sorted(capsys.readouterr().out.split()) == [
        *(f"{shards}/cat.tar", f"{shards}/dog.tar")
    ]
    cats = read_tar(shards / "cat.tar")
    assert list(cats) == [
        f"{key}.{end}" for key in "ab" for end in ("jpg", "cls", "json")
    ]
    assert (cats["b.jpg"], cats["b.cls"]) == (b"\xff\xd8 tim", b"0")
    dogs = read_tar(shards / "dog.tar")
    assert (dogs["c.jpg"], dogs["c.cls"]) == (b"\xff\xd8 rex", b"1")
    assert json.loads(dogs["c.json"])["class_name"] == "dog"


def test_rejected_images_are_read_from_the_quarantine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {field.name: 0 if field.type == pa.int64() else "" for field in SCHEMA}
        | {"file_name": name, "reason": reason, "image": image}
        for name, reason, image in (
            ("a.JPEG", "empty", b""),
            ("b.JPEG", "wrong_kind", b"GIF89a"),
        )
    ]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), tmp_path / "rejected.parquet")
    run("Rejected images", monkeypatch, tmp_path / "rejected.parquet", tmp_path / "out")
    assert {
        str(path.relative_to(tmp_path / "out")): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    } == {"empty/a.JPEG": b"", "wrong_kind/b.JPEG": b"GIF89a"}


def test_the_page_names_the_columns_of_the_quarantine() -> None:
    listed = PAGE.partition("Its\ncolumns are ")[2].partition(", the bytes")[0]
    assert re.findall(r"`(\w+)`", listed) == SCHEMA.names


def test_the_steps_of_the_page_are_there() -> None:
    rows = re.findall(r"^\| ?(?:`([\w.]+)`)? \| (`.*?`) \|", PAGE, re.MULTILINE)
    room = ""
    for name, steps in rows:
        room = name or room
        module = __import__(room, fromlist=["*"])
        for step in re.findall(r"`(\w+)`", steps):
            assert hasattr(module, step), f"{room} has no {step}"
    assert len(rows) == 7, rows
