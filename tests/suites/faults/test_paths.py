"""Directories that can't be used: what the command says, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.suites.faults.builds import ROOT, Ended

# As root, but with no right to what permissions forbid.
_WITHOUT_RIGHTS = (
    *("setpriv", "--inh-caps=-all"),
    "--bounding-set=-dac_override,-dac_read_search",
)


def run(*command: str | bytes | Path) -> Ended:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("flag", [b"--manual_dir=", b"--data_dir="])
def test_a_path_that_is_not_text_is_told(
    flag: bytes, archives: Path, tmp_path: Path
) -> None:
    odd = os.fsencode(tmp_path) + b"/im\xff\xfeages"
    os.mkdir(odd)
    ended = run(
        *(sys.executable, "-m", "beam_pipeline.run", "--config=demo"),
        *(f"--manual_dir={archives}", f"--data_dir={tmp_path / 'data'}", flag + odd),
    )
    assert ended == Ended(
        1,
        "",
        f"error: The path {tmp_path}/im\\udcff\\udcfeages is not UTF-8. Rename it, or "
        "make a link to it with another name and use that.\n",
    )


@pytest.mark.usefixtures("as_root")
def test_a_directory_that_may_not_be_looked_into_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    ended = run(
        *(*_WITHOUT_RIGHTS, sys.executable, "-m", "beam_pipeline.run"),
        *("--config=demo", f"--manual_dir={closed}", f"--data_dir={tmp_path / 'data'}"),
    )
    assert ended == Ended(
        1,
        "",
        f"error: Can't list {closed}. Check the permissions, or choose another "
        "directory.\n",
    )
