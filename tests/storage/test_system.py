"""Calls of each operating system, and what is done without them."""

import errno
import fcntl
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from transforms.storage import system
from transforms.storage.leases import Holder

SIZE = 4096
F_RDADVISE, F_RDAHEAD, F_NOCACHE, F_FULLFSYNC = 44, 45, 48, 51


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """A file of a block, a hole of 1 MiB, and another block."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(b"a" * SIZE)
        file.seek(1 << 20)
        file.write(b"b" * SIZE)
    opened = os.open(path, os.O_RDWR)
    yield opened
    os.close(opened)


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, object]]:
    """Takes the system for macOS; gives the calls of ``fcntl`` that follow."""
    calls: list[tuple[int, object]] = []

    def fake(_: int, command: int, argument: object = 0) -> int:
        calls.append((command, argument))
        return 0

    def not_there(*_: object) -> None:
        raise AssertionError("Linux's call")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "fcntl", fake)
    for name in ("posix_fadvise", "lseek", "fsync"):
        monkeypatch.setattr(os, name, not_there)
    return calls


def test_macos_has_commands_of_its_own(
    descriptor: int, macos: list[tuple[int, object]]
) -> None:
    system.expect_random_reads(descriptor)
    system.expect_read(descriptor, 5 << 32, 100)
    system.expect_read(descriptor, 0, 5 << 32)
    assert system.set_direct(descriptor, True) is True
    assert system.set_direct(descriptor, False) is False
    system.sync(descriptor)
    # struct radvisory { off_t ra_offset; int ra_count; }, with its padding.
    assert macos == [
        (F_RDAHEAD, 0),
        (F_RDADVISE, (5 << 32).to_bytes(8, "little") + struct.pack("<ii", 100, 0)),
        (F_RDADVISE, bytes(8) + struct.pack("<ii", 2**31 - 1, 0)),
        (F_NOCACHE, 1),
        (F_NOCACHE, 0),
        (F_FULLFSYNC, 0),
    ]


def test_holes_are_not_asked_for_on_macos(
    descriptor: int, macos: list[tuple[int, object]]
) -> None:
    assert system.next_data(descriptor, 2 * SIZE) == 2 * SIZE


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EINVAL, errno.ENOTTY])
def test_a_disk_of_macos_that_can_not_sync_fully_is_synced(
    number: int, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    monkeypatch.setattr(os, "fsync", synced.append)
    system.sync(descriptor)
    assert synced == [descriptor]
    assert system.set_direct(descriptor, True) is False
    system.expect_random_reads(descriptor)
    system.expect_read(descriptor, 0, SIZE)


def test_a_failed_sync_on_macos_is_an_error(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "fcntl", fail)
    with pytest.raises(OSError, match="Input/output error"):
        system.sync(descriptor)


def test_a_system_without_any_of_it_reads_and_writes(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "freebsd14")
    for name in ("posix_fadvise", "O_DIRECT", "SEEK_DATA"):
        monkeypatch.delattr(os, name)
    system.expect_random_reads(descriptor)
    system.expect_read(descriptor, 0, SIZE)
    assert system.next_data(descriptor, 2 * SIZE) == 2 * SIZE
    assert system.set_direct(descriptor, True) is False
    system.sync(descriptor)


def test_holes_are_skipped_on_linux(descriptor: int) -> None:
    found = system.next_data(descriptor, 2 * SIZE)
    assert found in (2 * SIZE, 1 << 20)  # a file system need not record holes
    assert system.next_data(descriptor, 1 << 21) == 1 << 21


@pytest.fixture
def without_proc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def hidden(*_: object, **__: object) -> str:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    system.machine.cache_clear()
    monkeypatch.setattr(Path, "read_text", hidden)
    yield
    system.machine.cache_clear()


@pytest.mark.parametrize("answer", ["6B29FC40-CA47-1067-B31D-00DD010662DA\n", ""])
def test_a_machine_without_proc_is_named_by_sysctl(
    answer: str, without_proc: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, answer, "")

    monkeypatch.setattr(subprocess, "run", run)
    assert system.machine() == answer.strip()
    assert asked == [("sysctl", "-n", "kern.bootsessionuuid")]


def test_a_machine_may_have_no_name(
    without_proc: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert system.machine() == ""
    # Then a process of that number may be another machine's: its lease has to expire.
    holder = Holder(
        run="r", host="h", machine="", process=2**22 + 1, user="u", since="s", renewed=0
    )
    monkeypatch.setattr("time.time", lambda: 299.0)
    assert not holder.is_dead()
    monkeypatch.setattr("time.time", lambda: 301.0)
    assert holder.is_dead()


def test_this_machine_has_a_name() -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert system.machine().startswith(f"{boot} pid:[")
