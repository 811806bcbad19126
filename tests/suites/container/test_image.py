"""What the image is made of."""

import json
import re
import tomllib
from typing import Any, Final

from packaging.requirements import Requirement

from tests.suites.container.podman import (
    BASE,
    IMAGE,
    PROJECT,
    PYTHON,
    output,
    run_image,
)

# What the project and the packages that Beam's image lacks may take; rapidgzip's
# library, which comes with its symbols, takes 32 MB.
ADDED_BYTES: Final = 70_000_000

PACKAGE: Final = "imagenet2012-subset-beam"


def inspect(image: str) -> dict[str, Any]:
    return json.loads(output("image", "inspect", image))[0]


def installed(image: str) -> dict[str, str]:
    """Returns the versions of an image's Python packages."""
    listing = output(
        *("run", "--rm", "--network=none", "--entrypoint", "python", image),
        *("-m", "pip", "list", "--format", "json", "--disable-pip-version-check"),
    )
    return {
        re.sub(r"[-_.]+", "-", package["name"]).lower(): package["version"]
        for package in json.loads(listing)
    }


def pins() -> dict[str, str]:
    """Returns the versions in constraints.txt that are for the image's Python."""
    lines = (PROJECT / "constraints.txt").read_text().splitlines()
    pinned = [Requirement(line) for line in lines if not line.startswith("#")]
    return {
        re.sub(r"[-_.]+", "-", each.name).lower(): str(each.specifier).lstrip("=")
        for each in pinned
        if each.marker is None or each.marker.evaluate({"python_version": PYTHON})
    }


def test_packages_of_beams_image_stay_and_what_is_added_is_pinned() -> None:
    base, ours = installed(BASE), installed(IMAGE)
    added = {name: ours[name] for name in ours.keys() - base.keys()}
    assert {name: ours[name] for name in base} == base
    assert added.pop(PACKAGE)
    assert set(added) >= {"array-record", "simplejpeg", "xxhash"}
    assert {name: pins()[name] for name in added} == added


def test_pins_are_what_the_image_holds() -> None:
    held = installed(IMAGE)
    assert {name: held.get(name) for name in pins()} == pins()


def test_layers_are_small() -> None:
    base, ours = inspect(BASE)["Size"], inspect(IMAGE)["Size"]
    print(f"{ours:,} bytes, {ours - base:,} of them beyond Beam's image")
    assert 0 < ours - base < ADDED_BYTES


def test_labels_name_the_project_its_version_and_the_base() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    labels = inspect(IMAGE)["Config"]["Labels"]
    title = "org.opencontainers.image"
    assert labels[f"{title}.title"] == project["name"]
    assert labels[f"{title}.version"] == project["version"]
    assert labels[f"{title}.base.name"] == BASE


def test_only_what_a_run_needs_is_in_the_image() -> None:
    listing = output(
        *("run", "--rm", "--network=none", "--entrypoint", "ls", IMAGE),
        *("-A", "/opt/imagenet2012_subset"),
    )
    assert listing.split() == [
        *("README.md", "beam_pipeline", "configs", "constraints.txt", "deploy"),
        *("pyproject.toml", "setup.py", "transforms"),
    ]


def test_without_a_command_it_tells_how_to_run() -> None:
    outcome = run_image()
    assert outcome.code == 0
    assert outcome.out.startswith("usage: python -m beam_pipeline.run")
