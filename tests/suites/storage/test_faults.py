"""What is done about storage that fails: tried again, and told in the end."""

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.suites.storage import servers
from tests.suites.storage.conftest import forget_clients, reached_at
from transforms import storage
from transforms.errors import StorageError
from transforms.storage.remote import gcs

SERVERS = {"gs": "google", "s3": "amazon"}
KINDS = pytest.mark.parametrize("scheme", SERVERS)


@pytest.fixture
def address(scheme: str, request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(SERVERS[scheme])
    return found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets storage be tried for a few seconds, where it is minutes."""
    monkeypatch.setenv("IMAGENET_STORAGE_SECONDS", "4")
    forget_clients()
    yield
    forget_clients()


def told(uri: str) -> list[str]:
    """Returns what each action says that fails."""
    messages = []
    for action in (
        storage.exists,
        storage.file_info,
        storage.read_bytes,
        storage.list_names,
        lambda uri: list(storage.list_entries(uri)),
        storage.remove_tree,
        lambda uri: storage.publish_bytes(uri, b"x"),
    ):
        with pytest.raises(StorageError) as caught:
            action(uri)
        messages.append(str(caught.value))
    return messages


@KINDS
def test_what_passes_is_tried_again(scheme: str, address: str) -> None:
    data = random.Random(3).randbytes(20_000_000)
    ranges = [(number * 60_000, 10_000) for number in range(300)]
    with (
        servers.proxy(address, "--rate", "0.1", "--stall", "1") as faulty,
        reached_at(scheme, faulty) as place,
    ):
        uri = storage.join(place, "file")
        with storage.publish(uri) as file:
            for start in range(0, len(data), 1_000_000):
                file.write(data[start : start + 1_000_000])
        assert storage.read_bytes(uri) == data
        reader = storage.open_reader(storage.file_info(uri))
        assert reader.read_many(ranges) == [data[o : o + size] for o, size in ranges]
        reader.close()
        (entry,) = storage.list_entries(place)
        file = storage.FileInfo(uri, entry.size or 0, entry.generation)
        part = storage.Part(file, 0, file.size)
        assert storage.open_files(place).read(part) == data
        assert storage.list_names(place) == ["file"]
        counts = servers.counts(faulty)["faults"]
    assert min(counts.get(name, 0) for name in ("429", "503", "close", "short")) > 0


def test_an_answer_of_fewer_bytes_than_asked_for_is_not_taken(google: str) -> None:
    with (
        servers.proxy(google, "--rate", "0.5", "--faults", "clip") as faulty,
        reached_at("gs", faulty) as place,
    ):
        with reached_at("gs", google):
            uri = storage.join(place, "file")
            storage.publish_bytes(uri, b"0123456789")
            file = storage.file_info(uri)
        reader = gcs.open_reader(file)
        assert [reader.read(offset, 6) for offset in range(5)] == [
            *(b"012345", b"123456", b"234567", b"345678", b"456789")
        ]
        reader.close()
        assert servers.counts(faulty)["faults"]["clip"] > 1


@KINDS
def test_a_request_that_is_silent_is_given_up_and_tried_again(
    scheme: str, address: str, impatient: None
) -> None:
    stalls = ("--rate", "0.2", "--faults", "stall", "--stall", "3600")
    with (
        servers.proxy(address, *stalls, "--seed", "2") as faulty,
        reached_at(scheme, faulty) as place,
    ):
        for number in range(5):
            uri = storage.join(place, f"file{number}")
            storage.publish_bytes(uri, b"0123456789")
            assert storage.read_bytes(uri) == b"0123456789"
        assert servers.counts(faulty)["faults"]["stall"] > 1


@KINDS
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("503", "503 Service Unavailable|service unavailable|HTTP status 503"),
        ("429", "429 Too Many Requests|slow down|HTTP status 429"),
        ("close", "Connection aborted|Remote end closed|network connection"),
    ],
)
def test_what_does_not_pass_is_told(
    fault: str, reason: str, scheme: str, address: str, impatient: None
) -> None:
    with (
        servers.proxy(address, "--rate", "1", "--faults", fault) as faulty,
        reached_at(scheme, faulty) as place,
    ):
        for message in told(f"{place}/file"):
            assert re.fullmatch(
                rf"Can't \w+ {place}/file\. It was tried (for 4 seconds|8 times); the "
                rf"last answer was: .*({reason}).*\. Rerun when the storage answers\.",
                message,
            )


@KINDS
@pytest.mark.parametrize("status", ["401", "403"])
def test_a_refusal_is_told_at_once(status: str, scheme: str, address: str) -> None:
    with (
        servers.proxy(address, "--rate", "1", "--faults", status) as refusing,
        reached_at(scheme, refusing) as place,
    ):
        messages = told(f"{place}/file")
        counts = servers.counts(refusing)["faults"]
    advice = {
        "gs": "No credentials were found, and it is not public. Run gcloud "
        "auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS.",
        "s3": "Check AWS_ACCESS_KEY_ID and other sources of credentials, and their "
        "permissions: ",
    }[scheme]
    for message in messages:
        assert re.match(rf"Can't \w+ {place}/file\. {re.escape(advice)}", message)
    assert counts[status] < 15  # requests, none of them tried thirteen times


@KINDS
def test_a_bucket_that_is_not_there_is_told(scheme: str, address: str) -> None:
    with reached_at(scheme, address):
        for message in told(f"{scheme}://no-such-bucket/file"):
            assert re.search(
                r"There is no (bucket (gs|s3)://no-such-bucket|such bucket)\.$", message
            )


def test_an_object_that_is_replaced_while_it_is_read_is_noticed(google: str) -> None:
    with reached_at("gs", google) as place:
        uri = storage.join(place, "file")
        storage.publish_bytes(uri, b"0123456789")
        reader = storage.open_reader(storage.file_info(uri))
        storage.publish_bytes(uri, b"9876543210")
        with pytest.raises(StorageError) as caught:
            reader.read(4, 4)
        reader.close()
    assert str(caught.value) == (
        f"{uri} has changed since the build began: it was replaced or removed. Rerun "
        "when nothing writes to it."
    )


def publish_until_stopped(uri: str, proxy: str) -> None:
    with storage.publish(uri) as file:
        file.write(bytes(20_000_000))
        servers.stop(proxy)


@KINDS
def test_an_upload_that_can_not_end_leaves_nothing(
    scheme: str, address: str, impatient: None
) -> None:
    with (
        servers.proxy(address) as proxy,
        reached_at(scheme, proxy) as place,
        pytest.raises(StorageError, match=r"It was tried"),
    ):
        publish_until_stopped(storage.join(place, "file"), proxy)
    with reached_at(scheme, address):
        assert storage.list_names(place) == []


def test_a_build_over_a_dead_server_ends_in_one_line(
    google: str, small_archives: Path, tmp_path: Path
) -> None:
    with servers.proxy(google, "--rate", "1", "--stall", "1") as dead:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "beam_pipeline.run", "--config", "demo"),
                *("--manual_dir", f"gs://{servers.BUCKET}/manual"),
                *("--data_dir", str(tmp_path)),
            ],
            env={**os.environ, **servers.variables("gs", dead)},
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: Can't list gs://test-bucket/manual\. It was tried for 120 seconds; "
        r"the last answer was: .*\. Rerun when the storage answers\.\n",
        done.stderr,
    )
