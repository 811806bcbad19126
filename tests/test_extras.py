"""The line that installs an extra is right wherever it is printed."""

import sys
import tomllib
from pathlib import Path

import pytest

from transforms import extras
from transforms.extras import EXTRAS, install_line

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())


def test_extras_are_those_of_the_project() -> None:
    declared = PROJECT["project"]["optional-dependencies"]
    assert {name: tuple(declared[name]) for name in declared if name != "dev"} == EXTRAS


@pytest.mark.parametrize(
    ("with_pip", "installer"),
    [(True, "'{}' -m pip install "), (False, "uv pip install --python '{}' ")],
)
def test_a_shell_takes_the_line_as_it_is(
    with_pip: bool, installer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/my env/bin/python")
    monkeypatch.setattr(extras, "find_spec", lambda name: with_pip or None)
    assert install_line("gcp") == (
        installer.format("/my env/bin/python")
        + "'apache-beam[gcp]==2.77.0' google-cloud-storage"
    )
