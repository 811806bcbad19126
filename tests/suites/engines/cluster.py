"""A cluster of Flink's for tests, started and stopped by the script that users have."""

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "deploy" / "flink" / "cluster.py"
FLINK = ROOT / ".flink"

FLINK_JOB_SERVER = ROOT / "deploy" / "flink" / "target" / "flink-job-server.jar"
SPARK_JOB_SERVER = ROOT / "deploy" / "spark" / "target" / "spark-job-server.jar"
PRISM = ROOT / ".prism" / "prism"


@dataclass(frozen=True)
class FlinkCluster:
    """A cluster that runs: one JobManager, two TaskManagers, one pool of workers."""

    directory: Path
    rest_port: int
    worker_port: int
    pids: dict[str, int]

    def flags(self) -> list[str]:
        """Returns what a build needs to run on it."""
        return [
            *("--engine", "flink", "--parallelism=4"),
            f"--flink_master=127.0.0.1:{self.rest_port}",
            f"--environment_config=127.0.0.1:{self.worker_port}",
            f"--flink_job_server_jar={FLINK_JOB_SERVER}",
        ]

    def newest_worker(self) -> int:
        """Returns the process id of the Python worker that was started last."""
        workers = psutil.Process(self.pids["workers"]).children()
        newest: int = max(workers, key=lambda worker: worker.create_time()).pid
        return newest

    def restarts_of_last_job(self) -> int:
        """Returns how often the job that was submitted last has failed."""
        exceptions = self._ask(f"jobs/{self._last_job()}/exceptions")
        return len(exceptions["exceptionHistory"]["entries"])

    def cancel_last_job(self) -> None:
        """Cancels the job that was submitted last, as Flink's page does."""
        self._ask(f"jobs/{self._last_job()}?mode=cancel", "PATCH")

    def _last_job(self) -> str:
        jobs = self._ask("jobs/overview")["jobs"]
        last: str = max(jobs, key=lambda job: job["start-time"])["jid"]
        return last

    def _ask(self, what: str, method: str = "GET") -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.rest_port}/{what}"
        request = urllib.request.Request(url, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@contextmanager
def flink_cluster(directory: Path) -> Iterator[FlinkCluster]:
    """Runs a cluster whose state and logs lie in a directory."""
    rest_port, worker_port = free_port(), free_port()
    ports = ["--rest_port", str(rest_port), "--worker_port", str(worker_port)]
    try:
        script("start", directory, *ports)
        pids = json.loads((directory / "cluster.json").read_text())["pids"]
        yield FlinkCluster(directory, rest_port, worker_port, pids)
    finally:
        script("stop", directory)


def script(what: str, directory: Path, *flags: str) -> str:
    """Runs the cluster's script; returns what it printed."""
    finished = subprocess.run(
        [
            *(sys.executable, str(SCRIPT), what),
            *("--dir", str(FLINK), "--state", str(directory)),
            *flags,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
