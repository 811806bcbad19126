"""The script of a Flink cluster knows which of its processes run."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.suites.engines.cluster import SCRIPT

# A process that turns into another program again and again, as Flink's scripts do.
TURNS = """
[ "$1" -gt 0 ] && exec sh "$0" $(($1 - 1))
exec sleep 100
"""


@pytest.fixture(scope="module")
def cluster() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("flink_cluster_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # for its dataclasses
    spec.loader.exec_module(module)
    return module


def test_a_process_that_turns_into_another_program_runs(
    cluster: ModuleType, tmp_path: Path
) -> None:
    script = tmp_path / "turns.sh"
    script.write_text(TURNS)
    with subprocess.Popen(
        ["sh", script, "1000"],
        env=os.environ | {"FLINK_CONF_DIR": str(tmp_path / "conf")},
    ) as process:
        looks = [cluster._is_alive(process.pid, tmp_path) for _ in range(5000)]
        another = cluster._is_alive(process.pid, tmp_path / "other")
        process.kill()
        process.wait()
        ended = cluster._is_alive(process.pid, tmp_path)
    assert all(looks)
    assert not another
    assert not ended
