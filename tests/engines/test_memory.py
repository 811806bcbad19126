"""What a process does with memory once it was told to spare it.

It is told for good, so each test has a process of its own.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Eight threads one after the other, which all live on and keep a piece of many.
USED_BY_THREADS = """
import os, threading
from beam_pipeline.engines.memory import spare_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

kept = []
end = threading.Event()

def work(done):
    kept.append([os.urandom(100_000) for _ in range(200)][-1])
    done.set()
    end.wait()

spare_memory()
before = resident()
for _ in range(8):
    done = threading.Event()
    threading.Thread(target=work, args=(done,)).start()
    done.wait()
print((resident() - before) // 10**6)
end.set()
"""

SETTINGS = """
import gc
import pyarrow as pa
from beam_pipeline.engines.memory import spare_memory

spare_memory()
spare_memory()
print(pa.default_memory_pool().backend_name)
print(gc.get_threshold(), gc.get_freeze_count() > 0)
"""


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_what_one_thread_frees_another_uses() -> None:
    assert int(run(USED_BY_THREADS)) < 80  # MB, of 160 that eight threads used


def test_arrow_and_the_collector_are_set_to_spare() -> None:
    assert run(SETTINGS).split("\n") == ["system", "(50000, 20, 100) True"]


# Which libraries of services Beam has loaded, and whether they can be loaded after it.
LOADED = """
import gc, importlib, sys
from beam_pipeline.engines.memory import load_beam

load_beam({flags})
import beam_pipeline.build
names = ("google.cloud.storage", "boto3", "apitools", "apache_beam.io.gcp.bigquery")
print(*(name in sys.modules for name in names), gc.isenabled())
for name in names:
    importlib.import_module(name)
from apache_beam.io.gcp.gcsio import GcsIO
from transforms.storage.remote import gcs
"""


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], "False False False False True"),
        (["--direct_num_workers=2"], "False False False False True"),
        (["--runner=FlinkRunner"], "True True True True True"),
        (["--runner", "FlinkRunner"], "True True True True True"),
    ],
)
def test_a_local_run_loads_beam_without_services(
    flags: list[str], expected: str
) -> None:
    for name in ("google.cloud.storage", "boto3", "apitools"):
        pytest.importorskip(name)
    assert run(LOADED.format(flags=flags)) == expected
