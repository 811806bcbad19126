"""Worker processes of a local run: how many, with how many cores, and the log."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest

from beam_pipeline.engines.runners import make_options, make_pipeline
from transforms import cores

ROOT = Path(__file__).parents[2]
PROCESSES = "--direct_running_mode=multi_processing"


def note_worker(element: int, directory: str) -> None:
    """Leaves a file that says in which process an element was, and how that is set."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    ignored = {signal.SIGINT, signal.SIGTERM} <= mask
    text = f"{os.getpid()} {cores._share} {ignored} {os.environ.get('OF_THE_RUN')}"
    (Path(directory) / f"{element}").write_text(text)
    logging.getLogger("transforms").warning("element %s is done", element)
    logging.getLogger("transforms").debug("not wanted")


def run_on_processes(flags: list[str], elements: int, directory: Path) -> set[str]:
    """Returns what the workers noted."""
    with make_pipeline(make_options([PROCESSES, *flags])) as pipeline:
        _ = (
            pipeline
            | beam.Create(range(elements))
            | beam.Reshuffle()
            | beam.Map(note_worker, str(directory))
        )
    return {path.read_text() for path in directory.iterdir()}


@pytest.mark.parametrize(
    ("elements", "share"),
    [(2, 8), (3, 6), (1, 16)],
)
def test_where_shards_are_few_each_process_has_more_cores(
    elements: int,
    share: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(16), raising=False)
    monkeypatch.setattr("transforms.cores.quota", lambda _: 16)
    monkeypatch.setenv("OF_THE_RUN", str(elements))
    noted = run_on_processes(["--direct_num_workers=8"], elements, tmp_path)
    words = [text.split(maxsplit=1) for text in noted]
    # Not more processes than shards; one may have been quick enough to do them all.
    assert 1 <= len(words) <= elements
    assert {rest for _, rest in words} == {f"{share} True {elements}"}
    assert str(os.getpid()) not in {process for process, _ in words}
    told = [record.getMessage() for record in caplog.records]
    expected = [f"element {element} is done" for element in range(elements)]
    assert sorted(text for text in told if text.startswith("element")) == expected
    assert "not wanted" not in told


# A run with a worker process that waits for what never comes, and says its number.
RUN = """
import os, sys, threading
from multiprocessing import get_context
from beam_pipeline.engines.worker_processes import die_with_run

def work(file):
    die_with_run()
    os.write(file, f"{os.getpid()}\\n".encode())
    threading.Event().wait()

if __name__ == "__main__":
    get_context(sys.argv[1]).Process(target=work, args=(1,)).start()
    threading.Event().wait()
"""


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_worker_process_dies_with_its_run(method: str, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(RUN)
    with subprocess.Popen(
        [sys.executable, script, method],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        worker = int(run.stdout.readline())
        os.kill(worker, 0)
        run.kill()
        # The pipe ends when the last process that can write to it is gone.
        assert run.stdout.read() == ""


def test_without_a_place_for_a_socket_each_process_is_started_by_itself(
    tmp_path: Path,
) -> None:
    code = (
        "from beam_pipeline.engines.worker_processes import load_early;"
        "print(load_early().get_start_method())"
    )
    far_below = tmp_path / ("a" * 100)
    far_below.mkdir()
    found = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": directory},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for directory in ("/tmp", str(far_below))
    ]
    assert found == ["forkserver\n", "spawn\n"]


# A script as users write them: nothing in it is guarded against being imported.
SCRIPT = """
import os, sys
import apache_beam as beam
from beam_pipeline.engines.runners import make_options, make_pipeline

def note(element):
    os.write(1, f"{element} {__name__}\\n".encode())

flags = ["--direct_running_mode=multi_processing", "--direct_num_workers=1"]
pipeline = make_pipeline(make_options(flags))
_ = pipeline | beam.Create([1, 2]) | beam.Reshuffle() | beam.Map(note)
pipeline.run()
print("done")
"""


@pytest.mark.parametrize("given", ["file", "standard input"])
def test_a_script_is_not_run_again_by_its_workers(given: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    finished = subprocess.run(
        [sys.executable, script if given == "file" else "-"],
        input="" if given == "file" else SCRIPT,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert sorted(lines) == ["1 __main__", "2 __main__", "done"]
