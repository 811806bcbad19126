"""Runs uv: its own command, or the one that ``make`` fetched."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def find_uv() -> str:
    """Returns the path of uv; raises FileNotFoundError if there is none."""
    fetched = ROOT / ".venv-uv" / "bin" / "uv"
    found = str(fetched) if fetched.exists() else shutil.which("uv")
    if found is None:
        raise FileNotFoundError("uv is missing: make .venv-uv/ready fetches it")
    return found


def uv(*arguments: object, text: str = "") -> subprocess.CompletedProcess[str]:
    """Runs uv with arguments, and a text as its standard input."""
    return subprocess.run(
        [find_uv(), *map(str, arguments)],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
