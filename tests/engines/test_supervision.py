"""A supervised run ends at once, with its processes, and says why."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 120  # seconds, on a machine that is busy with other things

# A run with a process of a process, that never ends by itself.
RUN = """
import subprocess, sys, threading
from beam_pipeline.engines.supervision import supervised

def tell(*reason):
    print("told", *reason)

with supervised(tell, tell, 7):
    shell = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $!; wait"])
    if "die" in sys.argv:
        def wait():
            raise RuntimeError("code -9")
        threading.Thread(target=wait, name="run_worker").start()
    threading.Event().wait()
"""


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def dies(process: int) -> bool:
    """Returns whether a process that was killed is gone; the system takes its time."""
    deadline = time.monotonic() + PATIENCE
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(process)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_an_interrupted_run_ends_with_all_it_started(number: int, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())
    assert alive(grandchild)
    os.kill(process.pid, number)
    rest, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest) == (code, "told\n")
    assert dies(grandchild)


# A run whose thread misses a process, and is heard out before the end.
MISSING = """
import logging, subprocess, threading
from beam_pipeline.engines.supervision import supervised

def miss():
    process.wait()
    logging.critical("a process is gone")
    raise OSError("it does not answer")

with supervised(lambda: thread.join(), print, 7):
    process = subprocess.Popen(["sleep", "1000"])
    thread = threading.Thread(target=miss)
    thread.start()
    print("ready", flush=True)
    threading.Event().wait()
"""


def test_what_threads_say_of_the_end_is_not_shown() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", MISSING],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 130


def test_a_run_whose_worker_process_died_ends() -> None:
    process = subprocess.run(
        [sys.executable, "-c", RUN, "die"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode == 7
    assert process.stdout.endswith("told code -9\n")
