"""Podman with the storage and settings of ``make_base.sh``, and its containers."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.helpers.archives import Outcome

PROJECT: Final = Path(__file__).parents[3]
DIRECTORY: Final = PROJECT / "build" / "container"
PYTHON: Final = "3.11"
BASE: Final = f"docker.io/apache/beam_python{PYTHON}_sdk:2.77.0"
IMAGE: Final = "localhost/imagenet2012_subset:tested"

_CA_BUNDLE: Final = "/etc/ssl/certs/ca-certificates.crt"
_PATIENCE: Final = 120.0  # seconds until what is waited for has failed

ENVIRONMENT: Final = os.environ | {
    "CONTAINERS_CONF": str(DIRECTORY / "containers.conf"),
    "CONTAINERS_STORAGE_CONF": str(DIRECTORY / "storage.conf"),
    "DISABLE_HC_SYSTEMD": "true",  # health is looked at by `podman healthcheck run`
}


def podman(*arguments: object) -> Outcome:
    """Runs a command of podman's to its end."""
    result = subprocess.run(
        ["podman", *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(result.returncode, result.stdout, result.stderr)


def output(*arguments: object) -> str:
    """Returns what a command of podman's prints, which has to succeed."""
    outcome = podman(*arguments)
    assert outcome.code == 0, outcome.err
    return outcome.out.strip()


def build_image() -> None:
    """Builds the project's Dockerfile, unchanged, on the stand-in for Beam's image.

    The package index is reached with pip's settings of this machine.
    """
    assert podman("image", "exists", BASE).code == 0, (
        f"No {BASE} in {DIRECTORY}: make test-container makes it."
    )
    output(
        *("build", "--quiet", "--isolation", "chroot", "--format", "docker"),
        *("--pull-never", "--volume", f"{_CA_BUNDLE}:{_CA_BUNDLE}:ro"),
        *("--volume", f"{DIRECTORY / 'pip.conf'}:/etc/pip.conf:ro"),
        *("--tag", IMAGE, PROJECT),
    )


def run_image(*command: object, options: Sequence[object] = ()) -> Outcome:
    """Runs a container to its end; it has no network but its own loopback."""
    return podman("run", "--rm", "--network=none", *options, IMAGE, *command)


@contextmanager
def container(*command: object, options: Sequence[object] = ()) -> Iterator[str]:
    """Starts a container without a network, and removes it in the end.

    Yields:
        Its id.
    """
    identity = output(
        "run", "--detach", "--network=none", *options, IMAGE, *map(str, command)
    )
    try:
        yield identity
    finally:
        podman("rm", "--force", "--time", 0, identity)


def processes(identity: str) -> dict[str, str]:
    """Returns the command lines in a container, each with the user that runs it."""
    lines = output("top", identity, "user", "args").splitlines()[1:]
    return {
        command.strip(): user for user, command in (x.split(None, 1) for x in lines)
    }


def is_healthy(identity: str) -> bool:
    """Returns what the image's HEALTHCHECK says of a container."""
    return podman("healthcheck", "run", identity).code == 0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Waits until a condition holds.

    Raises:
        AssertionError: It did not for two minutes.
    """
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"Waited {_PATIENCE:.0f} s for {what}."
        time.sleep(0.2)
