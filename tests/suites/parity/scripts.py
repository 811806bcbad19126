"""Runs scripts with the Python of the environment that holds TFDS and OpenCV."""

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[2]


def run_script(script: str, *arguments: str, stdin: str = "") -> str:
    """Returns what a script prints, run by the Python that has TFDS."""
    default = _ROOT / ".venv-parity" / "bin" / "python"
    python = Path(os.environ.get("PARITY_PYTHON", default))
    if not python.is_file():
        pytest.fail(
            f"There is no {python}: the parity tests need TFDS in an environment of "
            "its own. «make test-parity» makes it, or PARITY_PYTHON names another."
        )
    done = subprocess.run(
        [python, _HERE / script, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{script} {' '.join(arguments)} failed:\n{done.stderr[-4000:]}")
    return done.stdout
