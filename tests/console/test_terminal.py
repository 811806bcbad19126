"""The terminal: pipes that are closed early, and tables on narrow ones."""

import os
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from beam_pipeline.console import print_table, run_command
from beam_pipeline.console.terminal import Unbreakable


def test_a_closed_pipe_ends_the_output_and_nothing_else() -> None:
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w", buffering=1)
    unbreakable = Unbreakable(stream)
    assert unbreakable.write("read\n") == 5
    assert os.read(reader, 99) == b"read\n"
    os.close(reader)
    assert unbreakable.write("lost\n") == 5
    unbreakable.flush()
    assert unbreakable.write("lost too\n") == 9
    stream.close()  # what is left in the buffer goes nowhere


def test_a_command_whose_output_is_closed_still_ends_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = tmp_path / "done"

    def work(console: Console) -> int:
        print("x" * 100_000)
        print("more", flush=True)
        done.touch()
        return 0

    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert run_command(work, verbose=False) == 0
    assert done.exists()


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (
            40,
            "a title\n\n split   examples \n ────────────────\n train        300 \n\n",
        ),
        (12, "a title\nsplit: train\nexamples: 300\n\n"),
    ],
)
def test_a_table_that_does_not_fit_is_printed_as_lines(
    width: int,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    table = Table(title="a title")
    table.add_column("split")
    table.add_column("examples", justify="right")
    table.add_row("train", "300")
    print_table(table)
    plain = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert [line.rstrip() for line in plain.splitlines()] == [
        line.rstrip() for line in shown.splitlines()
    ]
