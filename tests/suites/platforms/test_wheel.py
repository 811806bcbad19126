"""The wheel: what it holds, and that it works in an environment with nothing else."""

import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.suites.faults.builds import hashes
from tests.suites.platforms.uv import ROOT, find_uv, uv
from transforms.extras import EXTRAS

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive, without a warning of setuptools."""
    directory = tmp_path_factory.mktemp("wheel")
    built = uv("build", "--out-dir", directory)
    assert built.returncode == 0, built.stderr
    assert "Warning" not in built.stderr
    (wheel,) = directory.glob("*.whl")
    return wheel


def test_it_holds_the_code_and_the_configs(wheel: Path) -> None:
    code = {
        str(path.relative_to(ROOT))
        for package in ("beam_pipeline", "transforms")
        for path in (ROOT / package).rglob("*.py")
    }
    configs = {
        f"beam_pipeline/{path.relative_to(ROOT)}"
        for path in (ROOT / "configs").rglob("*")
        if path.is_file()
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == code | configs
    assert "beam_pipeline/configs/imagenet2012/labels.txt" in held


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Runs commands of an environment that has the wheel and what it requires."""
    directory = tmp_path_factory.mktemp("environment")
    uv("venv", "--python", sys.executable, directory / "venv")
    python = directory / "venv" / "bin" / "python"
    installed = uv("pip", "install", "--python", python, wheel)
    assert installed.returncode == 0, installed.stderr

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python.parent / "imagenet2012-subset", *map(str, arguments)],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_its_commands_make_build_and_verify(command: Command, tmp_path: Path) -> None:
    archives, data_dir = tmp_path / "archives", tmp_path / "data"
    made = command("demo", archives)
    assert made.returncode == 0, made.stderr
    places = ("--manual_dir", archives, "--data_dir", data_dir)
    formats = ("--format", "tfrecord,parquet,webdataset")
    built = command("run", "--config", "demo", *places, *formats)
    assert built.returncode == 0, built.stderr
    dataset = data_dir / "imagenet2012_subset" / "demo" / "5.0.0"
    verified = command("verify", dataset)
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.endswith(f"{dataset} is whole.\n")
    # The same as from a clone.
    again = tmp_path / "clone"
    subprocess.run(
        [
            *(sys.executable, "-m", "beam_pipeline.run", "--config", "demo"),
            *("--manual_dir", archives, "--data_dir", again, *formats),
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert hashes(data_dir) == hashes(again)


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("--data_dir", "gs://bucket/data"), "gcp"),
        (("--engine=dataflow", "--project=p", "--region=r"), "gcp"),
        (("--format=array_record",), "array-record"),
    ],
)
def test_what_is_not_installed_is_named_with_the_line_that_installs_it(
    arguments: tuple[str, ...], extra: str, command: Command
) -> None:
    ended = command(
        *("run", "--config", "demo", "--temp_location=gs://bucket/tmp", *arguments)
    )
    assert ended.returncode in (1, 2)
    assert ended.stdout == ""
    (message,) = ended.stderr.splitlines()
    assert message.startswith("error: ")
    line = message.partition(" Install it: ")[2] or message.partition(" them: ")[2]
    assert shlex.split(line)[-len(EXTRAS[extra]) :] == list(EXTRAS[extra])
    # As a user would enter it; nothing is installed.
    tried = subprocess.run(
        f"{line} --dry-run",
        shell=True,
        env=os.environ | {"PATH": f"{Path(find_uv()).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stderr
    assert "Would install" in tried.stderr
