"""The image as a pool of workers, and as one worker that a runner starts."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.helpers.archives import stated
from tests.suites.container.datasets import EVERY_FORMAT, digests
from tests.suites.container.podman import (
    IMAGE,
    PROJECT,
    container,
    is_healthy,
    output,
    podman,
    processes,
    wait_until,
)

POOL_PORT: Final = 50000  # boot's, which no flag changes


def inside_network(pool: str, *command: object) -> list[str]:
    """Returns a command of this machine's Python that shares a container's loopback."""
    process = output("inspect", "--format", "{{.State.Pid}}", pool)
    network = ("nsenter", "--net", "--target", process)
    return [*network, sys.executable, *map(str, command)]


@contextmanager
def job_service(pool: str, directory: Path) -> Iterator[int]:
    """Serves Beam's jobs beside a pool of workers.

    Yields:
        The port it listens on.
    """
    port_file = directory / "port"
    module = "apache_beam.runners.portability.local_job_service_main"
    command = inside_network(pool, "-m", module, "--port_file", port_file)
    with (directory / "job_service.log").open("w") as log:
        service = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(port_file.exists, "the job service")
            yield int(port_file.read_text())
        finally:
            service.terminate()
            service.wait()


def test_a_job_submitted_from_outside_is_done_by_its_workers(
    archives: Path, data_dir: Path, tmp_path: Path, expected: dict[str, str]
) -> None:
    options = (f"--volume={archives}:{archives}:ro", f"--volume={data_dir}:{data_dir}")
    with container("--worker_pool", options=options) as pool:
        wait_until(lambda: is_healthy(pool), "the pool")
        with job_service(pool, tmp_path) as port:
            command = inside_network(
                pool,
                *("-m", "beam_pipeline.run", "--config", "demo"),
                *("--manual_dir", archives, "--data_dir", data_dir, *stated(archives)),
                *("--format", EVERY_FORMAT, "--runner=PortableRunner"),
                f"--job_endpoint=localhost:{port}",
                "--environment_type=EXTERNAL",
                f"--environment_config=localhost:{POOL_PORT}",
            )
            # The pool's user writes into directories that this one makes.
            submitted = subprocess.run(
                command, cwd=PROJECT, umask=0, capture_output=True, text=True
            )
        assert submitted.returncode == 0, submitted.stderr
        assert digests(data_dir) == expected
        shards = list(data_dir.rglob("*-of-*"))
        assert {path.stat().st_uid for path in shards} == {1000}
        assert set(processes(pool).values()) == {"beam"}
        # No environment beside the image's was made for the worker.
        assert podman("exec", pool, "ls", "/opt/apache/beam-venv").code != 0


def test_a_pool_that_does_not_answer_is_unhealthy() -> None:
    options = ("--entrypoint", '["sh", "-c", "sleep 60", "worker_pool"]')
    with container(options=options) as silent:
        assert not is_healthy(silent)


def test_a_worker_that_a_runner_starts_stays_root_as_dataflow_needs() -> None:
    flags = ("--id=1", "--provision_endpoint=localhost:1")
    with container(*flags) as worker:
        wait_until(lambda: bool(processes(worker)), "boot")
        assert processes(worker) == {f"/opt/apache/beam/boot {' '.join(flags)}": "root"}


def test_what_boot_refuses_keeps_its_exit_code() -> None:
    outcome = podman("run", "--rm", "--network=none", IMAGE, "--bogus")
    assert (outcome.code, outcome.err.splitlines()[0]) == (
        2,
        "flag provided but not defined: -bogus",
    )
