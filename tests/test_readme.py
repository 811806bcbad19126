"""The README and its pages: commands run as printed, and links lead somewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from beam_pipeline.demo_forms import OTHER_FORMS
from beam_pipeline.flags import make_parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

# Where paths in the pages begin: at the top, or in a package.
BASES = (ROOT, ROOT / "transforms", ROOT / "beam_pipeline")
MADE = {"build", "demo", ".flink", ".prism", ".venv"}  # folders that a clone lacks


def shell_commands() -> list[str]:
    """Returns the commands of the README's shell blocks, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A directory in which ``make`` finds the environment of the tests ready."""
    for name in ("Makefile", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, tmp_path)
    environment = tmp_path / ".venv"
    environment.mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != "ready":
            (environment / path.name).symlink_to(path)
    (tmp_path / ".venv-uv").mkdir()
    for made in (tmp_path / ".venv-uv", environment):
        (made / "ready").touch()
    return tmp_path


def run(command: str, clone: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command as a shell in the clone does, at home in an empty folder."""
    # Make's own variables would tell of the make that runs the tests.
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "VENV")
    }
    return subprocess.run(
        command,
        shell=True,
        cwd=clone,
        env=kept | {"HOME": str(clone / "home")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_commands_do_what_the_page_says(clone: Path) -> None:
    dataset = clone / "demo/tensorflow_datasets/imagenet2012_subset/demo/5.0.0"
    # The command at the top is for those who have ImageNet; the rest follow the demo.
    first, *commands = shell_commands()
    outcome = run(first, clone)
    missing = (
        f"error: The archive of the train split is missing: nothing in {clone}/home"
    )
    assert outcome.returncode == 1
    assert outcome.stderr.startswith(f"{missing}/imagenet has images"), outcome.stderr

    printed = {}
    for command in commands:
        if command.partition("#")[0].split()[1:] == ["test"]:
            continue
        outcome = run(command, clone)
        assert outcome.returncode == 0, f"{command}\n{outcome.stdout}{outcome.stderr}"
        printed[command] = outcome.stdout
    _, verified, built, shown = printed.values()
    assert f"{dataset.relative_to(clone)} is whole." in verified
    assert "demo/other/parquet/imagenet2012_subset/5.0.0/demo" in built
    names = re.findall(r"n\d{8}_\d+\.JPEG", shown)
    assert len(names) == 3
    assert (dataset / "card.html").is_file()
    assert (dataset / "report.html").is_file()


def test_targets_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        target
        for page in PAGES
        for target in re.findall(
            r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE
        )
    }
    assert named - targets == set()
    assert {"demo", "test", "help"} <= named


def test_every_form_of_the_demo_has_a_row() -> None:
    section = README.partition("\n## I have …\n")[2].partition("\n## ")[0]
    forms = re.findall(r"\| `([\w.]+)` \|$", section, re.MULTILINE)
    assert sorted(forms) == sorted(OTHER_FORMS)


def test_extras_are_those_of_the_project() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    extras = project.partition("[project.optional-dependencies]\n")[2]
    named = {
        extra
        for page in PAGES
        for extra in re.findall(r"'\.\[([\w-]+)\]'", page.read_text())
    }
    assert named == {"array-record", "gcp", "s3"}
    assert named <= set(re.findall(r"^([\w-]+) =", extras, re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """Returns the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        there = page.parent / path if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    for path in re.findall(r"`([\w.-]+(?:/[\w.-]+)+/?)`", text):
        top = path.split("/")[0]
        if top == "..":
            continue  # beside a clone there may be nothing
        if not (any((base / top).is_dir() for base in BASES)) or top in MADE:
            continue  # a path of the user's, or of a dataset
        if not any((base / path).exists() for base in BASES):
            broken.append(path)
    assert broken == []


def test_every_flag_of_a_build_has_a_row() -> None:
    page = (ROOT / "docs" / "building.md").read_text()
    listed = set(re.findall(r"^\| `(--\w+)", page, re.MULTILINE))
    known = {
        flag for action in make_parser()._actions for flag in action.option_strings
    }
    assert known - listed == {"-h", "--help"}
