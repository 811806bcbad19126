"""What leases have to keep to, over each kind of storage.

A module that runs it has a fixture ``place``, the URI of an empty directory.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from transforms import storage
from transforms.errors import StorageError
from transforms.storage import leases
from transforms.storage.claims import exclusive
from transforms.storage.leases import Holder, Lease

ROOT = Path(__file__).parents[3]
ELSEWHERE = Holder(
    run="0123456789abcdef",
    host="other-host",
    machine="another one",
    process=4242,
    user="somebody",
    since="2026-01-02 03:04:05 UTC",
    renewed=0,
)

HOLDER = """
import sys, time
from transforms.storage.claims import exclusive
with exclusive(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def leave(place: str, age: float) -> None:
    """Leaves the lease of a run on another machine, renewed some seconds ago."""
    holder = replace(ELSEWHERE, renewed=int(time.time() - age))
    storage.make_directory(place)
    storage.publish_bytes(
        storage.join(place, leases.NAME), json.dumps(asdict(holder)).encode()
    )


def held_by(place: str) -> Holder:
    while True:
        try:
            return Holder(**storage.read_json(storage.join(place, leases.NAME)))
        except StorageError as error:  # it may be renewed while it is read
            if "has changed" not in str(error):
                raise


def refusal(place: str) -> str:
    with pytest.raises(StorageError) as caught, exclusive(place):
        pass
    return str(caught.value)


def start_together(number: int, work: Callable[[], object]) -> list[object]:
    """Runs threads at once; returns what each gave, or the error it raised."""
    barrier = threading.Barrier(number)
    found: list[object] = []

    def begin() -> None:
        barrier.wait()
        try:
            found.append(work())
        except StorageError as error:
            found.append(error)

    threads = [threading.Thread(target=begin) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_directory_is_for_one_run(place: str) -> None:
    storage.make_directory(place)
    with exclusive(place):
        ours = held_by(place)
        assert (ours.process, ours.host) == (os.getpid(), os.uname().nodename)
        assert re.fullmatch(
            rf"Another run is writing to {place}: process {os.getpid()} of {ours.user} "
            rf"on {ours.host}, since {ours.since}\. It renewed its lease \d seconds "
            r"ago\. Wait for it to end, or stop it and rerun; the shards that it "
            r"finished are kept\. If "
            rf"it is dead, its lease {place}/\.lease\.json expires in (300|29\d) "
            r"seconds\.",
            refusal(place),
        )
    assert storage.list_names(place) == []
    with exclusive(place):
        pass


@pytest.mark.parametrize("age", [0, 280])
def test_a_run_on_another_machine_is_named(place: str, age: int) -> None:
    leave(place, age)
    assert (
        f"Another run is writing to {place}: process 4242 of somebody on other-host, "
        f"since 2026-01-02 03:04:05 UTC. It renewed its lease "
    ) in refusal(place)
    assert held_by(place).run == ELSEWHERE.run


def test_a_lease_that_is_not_renewed_ends(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    leave(place, 301)
    with exclusive(place):
        assert held_by(place).process == os.getpid()
    assert storage.list_names(place) == []
    assert caplog.messages == [
        f"{place}: the run of process 4242 of somebody on other-host, since 2026-01-02 "
        "03:04:05 UTC is dead; this run takes its place."
    ]


def test_a_run_that_was_killed_on_this_machine_keeps_nobody_out(place: str) -> None:
    storage.make_directory(place)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, place],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert f"process {process.pid} of " in refusal(place)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert storage.list_names(place) == [leases.NAME]
    with exclusive(place):
        assert held_by(place).process == os.getpid()


def test_of_runs_that_begin_together_one_goes_on(place: str) -> None:
    storage.make_directory(place)
    found = start_together(4, lambda: Lease(place))
    (lease,) = [each for each in found if isinstance(each, Lease)]
    lease.release()
    assert storage.list_names(place) == []


def test_of_runs_that_find_a_dead_one_one_goes_on(place: str) -> None:
    leave(place, 301)
    found = start_together(4, lambda: Lease(place))
    (lease,) = [each for each in found if isinstance(each, Lease)]
    lease.release()


def test_a_lease_is_renewed(place: str) -> None:
    storage.make_directory(place)
    lease = Lease(place, renewed_every=0.02)
    first = held_by(place)
    deadline = time.monotonic() + 30
    while held_by(place).renewed == first.renewed:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert replace(held_by(place), renewed=first.renewed) == first
    lease.release()
    assert storage.list_names(place) == []


def test_a_run_whose_lease_was_taken_ends(
    place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    signals: list[tuple[int | None, int]] = []
    monkeypatch.setattr(signal, "pthread_kill", lambda *each: signals.append(each))
    storage.make_directory(place)
    lease = Lease(place, renewed_every=0.02)
    leave(place, 0)
    lease._thread.join(30)
    assert signals == [(threading.main_thread().ident, signal.SIGINT)]
    assert caplog.messages == [
        f"Another run has taken {place}, because this one could not renew its "
        "lease in time. This run ends."
    ]
    lease.release()
    assert held_by(place).run == ELSEWHERE.run  # it is not ours to remove


def test_an_answer_that_was_lost_is_no_other_run(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = leases._swapping(place)
    swap = backend.swap

    def lose_answer(uri: str, data: bytes, generation: str) -> None:
        assert swap(uri, data, generation) is not None

    storage.make_directory(place)
    monkeypatch.setattr(backend, "swap", lose_answer)
    lease = Lease(place)
    assert lease.renew()
    monkeypatch.setattr(backend, "swap", swap)
    assert lease.renew()
    lease.release()
    assert storage.list_names(place) == []


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"run": 1}'])
def test_what_is_no_lease_is_told(place: str, data: bytes) -> None:
    storage.make_directory(place)
    uri = storage.join(place, leases.NAME)
    storage.publish_bytes(uri, data)
    assert refusal(place) == f"{uri} is not a lease. Remove it."
