"""Asks the index for wheels of all that is required, for each Python and platform.

``python -m tests.suites.platforms.wheels`` prints a table and ends with 1 if one is
missing, also of what the requirements require. It uses uv with its configured index,
and installs nothing.
"""

import re
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from tempfile import NamedTemporaryFile
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from tests.suites.platforms.uv import ROOT, uv

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
# The oldest C libraries and systems that are supported, in uv's words.
PLATFORMS: Final = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
}
# Pure Python. Below Python 3.13 Beam pins a version that has only a source archive.
FROM_SOURCE: Final = ("google-apitools",)
MISSING: Final = "none"
NOT_REQUIRED: Final = "-"
AT_ONCE: Final = 4
WIDTH: Final = 140  # columns


class Target(NamedTuple):
    """Where to install: a Python and a platform of ``PLATFORMS``."""

    python: str
    platform: str


def requirements() -> list[str]:
    """Returns what the project requires, with all extras but the developers'."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [
        *project["dependencies"],
        *(each for name in extras if name != "dev" for each in extras[name]),
    ]


def resolve(wanted: list[str], target: Target) -> dict[str, str] | None:
    """Returns versions by name that have wheels; None where one has none."""
    with NamedTemporaryFile("w") as overrides:
        for name in FROM_SOURCE:
            overrides.write(f"{name}; python_version < '3'\n")
        overrides.flush()
        answer = uv(
            *("pip", "compile", "-", "--no-build", "--no-header", "--no-annotate"),
            *("--quiet", "--python-version", target.python),
            *("--python-platform", PLATFORMS[target.platform]),
            *("--overrides", overrides.name),
            text="\n".join(wanted),
        )
    if answer.returncode:
        return None
    lines = [line.partition(" ;")[0] for line in answer.stdout.split("\n") if line]
    return dict(line.split("==", 1) for line in lines)


def look_up(wanted: list[str], target: Target) -> dict[str, str]:
    """Returns for each requirement the version that a target gets, or ``MISSING``."""
    found = resolve(wanted, target)
    versions = {}
    for each in wanted:
        alone = found if found else resolve([each], target)
        name = name_of(each)
        version = alone.get(name.partition("[")[0], NOT_REQUIRED) if alone else MISSING
        versions[name] = version
    if found is None and MISSING not in versions.values():
        versions["all together"] = MISSING
    return versions


def name_of(requirement: str) -> str:
    """Returns the name of a requirement with its extras, as indexes write it."""
    name, *_ = re.split("[=<>!~; ]", requirement)
    return name.replace("_", "-").lower()


def main() -> int:
    """Prints the table; returns 1 if a wheel is missing."""
    wanted = requirements()
    targets = [Target(python, each) for each in PLATFORMS for python in PYTHONS]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(partial(look_up, wanted), targets))
    table = Table("", *(f"{target.platform} {target.python}" for target in targets))
    missing = []
    for name in dict.fromkeys(name for answer in answers for name in answer):
        versions = [answer.get(name, "") for answer in answers]
        table.add_row(name, *versions)
        missing += [
            f"{name} lacks a wheel for Python {target.python} on {target.platform}."
            for target, version in zip(targets, versions, strict=True)
            if version == MISSING
        ]
    console = Console()
    console.width = WIDTH
    console.print(table)
    print("\n".join(missing) or "Every wheel is there.")
    print(f"Not looked for, being built from source: {', '.join(FROM_SOURCE)}.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
