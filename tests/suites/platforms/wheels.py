"""Asks the index for wheels of all that is required, for each Python and platform.

``python -m tests.suites.platforms.wheels`` prints a table and ends with 1 if one is
missing. It asks by uv, with what uv is configured to ask, and installs nothing.
"""

import sys
import tomllib
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
MISSING: Final = "none"
NOT_REQUIRED: Final = "-"


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


def resolve(wanted: list[str], target: Target, *flags: str) -> dict[str, str] | None:
    """Returns versions by name that have wheels; None where one has none."""
    answer = uv(
        *("pip", "compile", "-", "--no-build", "--no-header", "--no-annotate"),
        *("--quiet", "--python-version", target.python),
        *("--python-platform", PLATFORMS[target.platform], *flags),
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
        versions[name] = MISSING if alone is None else alone.get(name, NOT_REQUIRED)
    if found is None and MISSING not in versions.values():
        versions["all together"] = MISSING
    return versions


def name_of(requirement: str) -> str:
    """Returns the name of a requirement, as indexes write it."""
    name = requirement
    for mark in "[=<>!~; ":
        name = name.partition(mark)[0]
    return name.replace("_", "-").lower()


def main() -> int:
    """Prints the table; returns 1 if a wheel is missing."""
    wanted = requirements()
    table = Table("platform", "Python", *dict.fromkeys(map(name_of, wanted)))
    missing = []
    for platform in PLATFORMS:
        for python in PYTHONS:
            versions = look_up(wanted, Target(python, platform))
            table.add_row(platform, python, *versions.values())
            missing += [
                f"{name} has no wheel for Python {python} on {platform}"
                for name, version in versions.items()
                if version == MISSING
            ]
    Console(width=200).print(table)
    print("\n".join(missing) or "Every wheel is there.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
