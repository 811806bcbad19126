"""The contract over real servers, and over Arrow's own view of a disk."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest

from tests.suites.storage import servers
from tests.suites.storage.conftest import forget_clients, reached_at
from tests.suites.storage.contract import *  # noqa: F403
from tests.suites.storage.contract import files_in, written
from transforms import storage
from transforms.storage.remote import arrow, gcs


@pytest.fixture(params=["gs", "s3", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "file":
        yield f"file://{tmp_path}"
        return
    server = {"gs": "google", "s3": "amazon"}[request.param]
    with reached_at(request.param, request.getfixturevalue(server)) as uri:
        yield uri


def put_on_google(uri: str) -> None:
    gcs._client().bucket(servers.BUCKET).blob(uri).upload_from_string(b"")


def test_marks_of_directories_are_no_files(google: str) -> None:
    with reached_at("gs", google) as place:
        _, _, name = place.removeprefix("gs://").partition("/")
        for mark in (f"{name}/", f"{name}/sub/", f"{name}/odd//below"):
            put_on_google(mark)
        storage.publish_bytes(storage.join(place, "file"), b"x")
        found = [(each.name, each.size) for each in storage.list_entries(place)]
        assert found == [("file", 1), ("odd", None), ("sub", None)]
        assert list(storage.list_entries(storage.join(place, "sub"))) == []
        assert list(storage.list_entries(storage.join(place, "odd"))) == []


def test_marks_of_directories_are_no_files_on_s3(amazon: str) -> None:
    with reached_at("s3", amazon) as place:
        filesystem, path = arrow._locate(place)
        filesystem.create_dir(f"{path}/sub", recursive=True)
        storage.publish_bytes(storage.join(place, "file"), b"x")
        found = [(each.name, each.size) for each in storage.list_entries(place)]
        assert found == [("file", 1), ("sub", None)]
        assert list(storage.list_entries(storage.join(place, "sub"))) == []


@pytest.mark.parametrize(
    ("scheme", "requests"), [("gs", {"GET": 41}), ("s3", {"GET": 41, "HEAD": 40})]
)
def test_a_file_takes_few_requests(
    scheme: str, requests: dict[str, int], request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue({"gs": "google", "s3": "amazon"}[scheme])
    with reached_at(scheme, server) as place:
        for number in range(40):
            written(place, f"{number}", b"data")
        with (
            servers.proxy(server, "--latency", "0.2") as proxy,
            mock.patch.dict(os.environ, servers.variables(scheme, proxy)),
        ):
            forget_clients()
            files = files_in(place)
            reader = storage.open_files(place)
            reader.prefetch(files)
            assert [reader.read(file) for file in files] == [b"data"] * 40
            reader.close()
            counts = servers.counts(proxy)
    assert counts["requests"] == requests
    assert counts["most_at_once"] > 20


@pytest.mark.parametrize("scheme", ["gs", "s3"])
def test_more_entries_than_a_request_lists(
    scheme: str, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue({"gs": "google", "s3": "amazon"}[scheme])
    with reached_at(scheme, server) as place:
        names = [f"{number:04}" for number in range(1003)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda name: written(place, name, name.encode()), names))
        assert [(each.name, each.size) for each in storage.list_entries(place)] == [
            (name, 4) for name in names
        ]
