"""How many processes and threads a local run has, on machines of every size."""

import pytest

from beam_pipeline.engines.workers import (
    LocalOptions,
    LocalWorkers,
    choose_workers,
    local_workers,
)
from transforms.errors import ConfigError

THREADS, PROCESSES = (
    "--direct_running_mode=multi_threading",
    ("--direct_running_mode=multi_processing"),
)


@pytest.mark.parametrize(
    ("cores", "flags", "expected"),
    [
        (1, [], (0, 1)),
        (4, [], (0, 4)),
        (5, [], (3, 2)),
        (8, [], (4, 2)),
        (64, [], (32, 2)),
        (2, ["--direct_num_workers=5"], (0, 5)),  # processes would not help
        (64, ["--direct_num_workers=3"], (0, 3)),
        (64, ["--direct_num_workers=10"], (5, 2)),
        (64, ["--direct_num_workers=0"], (32, 2)),  # Beam's word for all cores
        (64, [THREADS], (0, 64)),
        (64, [THREADS, "--direct_num_workers=6"], (0, 6)),
        (4, [PROCESSES], (4, 1)),
        (2, [PROCESSES, "--direct_num_workers=3"], (3, 1)),
        (8, [PROCESSES, "--direct_num_workers=2", "--direct_worker_threads=4"], (2, 4)),
        (8, ["--direct_running_mode=in_memory"], (0, 1)),
    ],
)
def test_all_cores_are_used_unless_the_command_line_says_otherwise(
    cores: int, flags: list[str], expected: tuple[int, int]
) -> None:
    options = LocalOptions(flags)
    given = {flag.partition("=")[0].lstrip("-") for flag in flags}
    choose_workers(options, given, cores)
    found = local_workers(options)
    assert (found.processes, found.threads) == expected


@pytest.mark.parametrize(
    "flag", ["--direct_num_workers=-1", "--direct_worker_threads=0"]
)
def test_a_number_that_counts_nothing_is_refused(flag: str) -> None:
    name, _, value = flag.partition("=")
    with pytest.raises(ConfigError, match=f"^{name} {value}: expected"):
        choose_workers(LocalOptions([flag]), [name.lstrip("-")], 2)


def test_workers_have_the_cores_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(10), raising=False)
    options = LocalOptions([PROCESSES, "--direct_num_workers=4"])
    assert local_workers(options) == LocalWorkers(4, 1, 10)
    options = LocalOptions([THREADS, "--direct_num_workers=4"])
    assert local_workers(options) == LocalWorkers(0, 4, 10)
