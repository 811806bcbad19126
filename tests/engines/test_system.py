"""Processes of a run, with what Linux offers and without."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from beam_pipeline.engines import system

ROOT = Path(__file__).parents[2]

# A process with a child and a grandchild, which says the numbers of both.
FAMILY = "sh -c 'sleep 100 & echo $$ $!; wait' & wait"


@pytest.mark.parametrize("proc", [True, False], ids=["proc", "ps"])
def test_descendants_are_found(proc: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not proc:
        if not shutil.which("ps"):
            pytest.skip("a small container may have no ps")
        monkeypatch.setattr(system, "_has_proc", lambda: False)
    with subprocess.Popen(
        ["sh", "-c", FAMILY], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as family:
        assert family.stdout is not None
        below = [int(number) for number in family.stdout.readline().split()]
        found = [system.descendants(each) for each in (family.pid, below[1])]
        ours = system.descendants(os.getpid())
        os.killpg(family.pid, signal.SIGKILL)
    assert found == [below, []]
    assert {family.pid, *below} <= set(ours)


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_datagrams_arrive_and_nothing_is_left(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    with system.datagram_listener() as (listener, address):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"three of four", address)
        assert listener.recv(100) == b"three of four"
        assert Path(address.replace("\0", "/none")).exists() == (platform == "darwin")
    if platform == "darwin":
        assert not Path(address).parent.exists()


def test_without_proc_and_ps_there_are_no_descendants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(system, "_has_proc", lambda: False)
    monkeypatch.setenv("PATH", "")
    assert system.descendants(1) == []


def test_this_c_library_has_what_is_used() -> None:
    library = ctypes.CDLL(None)
    assert library.mallopt
