"""The image as a batch job: ``docker run IMAGE run --config ...``."""

from pathlib import Path

import pytest

from tests.helpers.archives import few_archives, stated
from tests.suites.container.datasets import EVERY_FORMAT, digests, owners
from tests.suites.container.podman import (
    container,
    is_healthy,
    output,
    podman,
    processes,
    run_image,
    wait_until,
)

# Images that take a while, so that there is something to interrupt.
LARGE = ("--set", "images.policy=resize", "images.exact=[4000,4000]")
ENLARGED = (*LARGE, "images.enlarge=true")


def mounts(archives: Path, data_dir: Path) -> tuple[str, str]:
    return f"--volume={archives}:/archives:ro", f"--volume={data_dir}:/data"


def test_every_format_is_what_a_run_outside_gives(
    archives: Path, data_dir: Path, expected: dict[str, str]
) -> None:
    outcome = run_image(
        *("run", "--config", "demo", "--manual_dir", "/archives", *stated(archives)),
        *("--format", EVERY_FORMAT),
        options=mounts(archives, data_dir),
    )
    assert outcome.code == 0, outcome.err
    assert "Warning" not in outcome.err
    assert digests(data_dir) == expected
    assert owners(data_dir) == {(1000, 1000)}


@pytest.mark.parametrize("mode", ["multi_threading", "multi_processing"])
def test_any_user_may_run_it_without_a_capability_or_a_writable_root(
    archives: Path, data_dir: Path, expected: dict[str, str], mode: str
) -> None:
    outcome = run_image(
        *("run", "--config", "demo", "--manual_dir", "/archives", *stated(archives)),
        *("--format", EVERY_FORMAT, f"--direct_running_mode={mode}"),
        options=(
            *("--user=12345:54321", "--cap-drop=all", "--read-only"),
            *("--memory=1g", "--cpus=1.5", *mounts(archives, data_dir)),
        ),
    )
    assert outcome.code == 0, outcome.err
    assert digests(data_dir) == expected
    assert owners(data_dir) == {(12345, 54321)}


def test_a_failed_build_and_a_wrong_flag_give_their_exit_codes(
    tmp_path: Path, data_dir: Path
) -> None:
    archives = few_archives(tmp_path / "archives")
    (archives / "demo.txt").write_text("n01440764_absent.JPEG\n")
    command = (
        *("run", "--config", "demo", "--manual_dir", "/archives"),
        *stated(archives),
    )
    options = mounts(archives, data_dir)
    failed = run_image(*command, options=options)
    assert (failed.code, failed.err.count("Traceback")) == (1, 0)
    assert "n01440764_absent.JPEG" in failed.err
    wrong = run_image(*command, "--form", "parquet", options=options)
    assert (wrong.code, wrong.err.splitlines()[0]) == (
        2,
        "error: Unknown flag --form. Did you mean format?",
    )


def test_stopping_it_interrupts_the_job(archives: Path, data_dir: Path) -> None:
    command = (
        *("run", "--config", "demo", "--manual_dir", "/archives", *ENLARGED),
        *stated(archives),
    )
    with container(*command, options=mounts(archives, data_dir)) as job:
        wait_until(lambda: "train: " in podman("logs", job).err, "the plan")
        assert is_healthy(job)
        assert set(processes(job).values()) == {"beam"}
        output("stop", "--time", 60, job)
        assert output("inspect", "--format", "{{.State.ExitCode}}", job) == "130"
        assert "Interrupted. Published are, whole: " in podman("logs", job).err
