"""How many cores a process may use, by affinity, quota and its share."""

import os
from pathlib import Path

import pytest

from transforms import cores
from transforms.cores import available_cores, quota, share_cores

UNLIMITED = 1 << 16


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("400000 100000\n", 4),
        ("150000 100000\n", 2),  # a part of a core is one that can be used
        ("50000 100000\n", 1),
        ("max 100000\n", UNLIMITED),
        ("rubbish\n", UNLIMITED),
    ],
)
def test_a_quota_of_version_2(tmp_path: Path, limit: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    assert quota(tmp_path) == expected


@pytest.mark.parametrize(("limit", "expected"), [("400000", 4), ("-1", UNLIMITED)])
def test_a_quota_of_version_1(tmp_path: Path, limit: str, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{limit}\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert quota(tmp_path) == expected


def test_without_a_control_group_there_is_no_quota(tmp_path: Path) -> None:
    assert quota(tmp_path) == UNLIMITED


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins")
def test_a_pinned_process_has_the_cores_it_is_pinned_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    all_cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(all_cores)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, all_cores)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(12))
    monkeypatch.setattr(cores, "_share", None)
    assert available_cores() == min(12, quota(Path("/sys/fs/cgroup")))
    share_cores(1)
    assert available_cores() == 1
