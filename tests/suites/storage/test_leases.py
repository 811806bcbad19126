"""Leases over servers of Google's and Amazon's protocols."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.helpers.archives import stated
from tests.suites.storage.conftest import reached_at
from tests.suites.storage.leases import *  # noqa: F403
from tests.suites.storage.leases import ROOT, held_by, leave
from transforms import storage
from transforms.formats import FORMATS
from transforms.storage import leases
from transforms.storage.leases import Lease
from transforms.storage.remote import arrow, s3

SERVERS = {"gs": "google", "s3": "amazon"}


@pytest.fixture(params=SERVERS)
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    address = request.getfixturevalue(SERVERS[request.param])
    with reached_at(request.param, address) as uri:
        yield uri


def test_of_many_that_create_or_replace_a_file_on_s3_one_does(amazon: str) -> None:
    with reached_at("s3", amazon) as place:
        uri = storage.join(place, "contended.json")

        def swap_all(generation: str) -> dict[bytes, str]:
            """Has eight threads swap at once; returns what was taken from whom."""
            begin = threading.Barrier(8)

            def swap(number: int) -> tuple[bytes, str | None]:
                begin.wait()
                data = b"%d of %s" % (number, generation.encode())
                return data, arrow.swap(uri, data, generation)

            with ThreadPoolExecutor(8) as pool:
                found = dict(pool.map(swap, range(8)))
            return {data: taken for data, taken in found.items() if taken is not None}

        generation = ""
        for _ in range(5):
            ((data, generation),) = swap_all(generation).items()
            assert storage.read_bytes(uri) == data
            assert storage.file_info(uri).generation == generation


def test_s3_itself_refuses_to_replace_another_generation(amazon: str) -> None:
    with reached_at("s3", amazon) as place:
        uri = storage.join(place, "swapped.json")
        first = arrow.swap(uri, b"1", "")
        assert first is not None
        assert arrow.swap(uri, b"2", first) is not None
        client = s3.conditional_client()
        for stale in ("", first.partition("-")[2]):
            # As if it had changed after it was looked at.
            assert s3.put_if(client, uri, b"3", stale) is None
        assert storage.read_bytes(uri) == b"2"


def test_a_build_that_is_interrupted_leaves_no_lease(
    place: str, small_archives: Path
) -> None:
    """The environment leads the command to the server of the fixture."""
    directory = storage.join(place, "imagenet2012_subset", "demo", "5.0.0")
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "beam_pipeline.run", "--config", "demo"),
            *("--manual_dir", str(small_archives), "--data_dir", place),
            # So that it takes long enough to be interrupted.
            *("--format", ",".join(FORMATS), "--direct_num_workers=1"),
            *("--num_shards", "train=12", "validation=4"),
            *stated(small_archives),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        deadline = time.monotonic() + 120
        # The shards' directory is there when the build can be interrupted in order.
        while ".tfrecord.reports" not in storage.list_names(directory):
            assert build.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert held_by(directory).process == build.pid
        build.send_signal(signal.SIGINT)
        _, err = build.communicate(timeout=120)
    assert build.returncode == 130, err
    assert leases.NAME not in storage.list_names(directory)


def test_a_second_build_says_who_is_there(place: str, small_archives: Path) -> None:
    """The environment leads the command to the server of the fixture."""
    command = [
        *(sys.executable, "-m", "beam_pipeline.run", "--config", "demo", "--quiet"),
        *("--manual_dir", str(small_archives), "--data_dir", place),
        *stated(small_archives),
    ]

    def build() -> tuple[int, str, str]:
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ, capture_output=True, text=True
        )
        return done.returncode, done.stdout, done.stderr

    directory = storage.join(place, "imagenet2012_subset", "demo", "5.0.0")
    lease = Lease(directory)
    code, out, err = build()
    assert (code, out) == (1, "")
    assert err.startswith(
        f"error: Another run is writing to {directory}: process {os.getpid()} of "
    )
    assert storage.list_names(directory) == [leases.NAME]
    lease.release()
    leave(directory, 301)
    code, _, err = build()
    assert code == 0, err
    names = storage.list_names(directory)
    assert "dataset_info.json" in names
    assert leases.NAME not in names
