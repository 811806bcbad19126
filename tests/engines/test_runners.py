"""The local engine: its defaults, what it must not do, and what its errors mean."""

import os
import threading
from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions
from apache_beam.runners.worker.data_plane import (
    PeriodicThread,
    TimeBasedBufferingClosableOutputStream,
)

from beam_pipeline.engines.runners import (
    counters,
    is_local,
    make_options,
    make_pipeline,
)
from beam_pipeline.engines.worker_errors import worker_error
from transforms.errors import ArchiveError, BuildError, ImageError

CORES = os.cpu_count() or 1


@pytest.mark.parametrize(
    ("flags", "mode", "workers"),
    [
        ([], "multi_threading", CORES),
        (["--runner=DirectRunner"], "multi_threading", CORES),
        (["--runner=FnApiRunner"], "multi_threading", CORES),
        (["--direct_num_workers=3"], "multi_threading", 3),
        (["--direct_num_workers", "3"], "multi_threading", 3),
        (["--direct_running_mode=in_memory"], "in_memory", 1),
        (["--direct_running_mode=multi_processing"], "multi_processing", CORES),
        (["--runner=FlinkRunner"], "in_memory", 1),  # Beam's defaults, and unused
    ],
)
def test_local_runs_take_all_cores(flags: list[str], mode: str, workers: int) -> None:
    direct = make_options(flags).view_as(DirectOptions)
    assert (direct.direct_running_mode, direct.direct_num_workers) == (mode, workers)


@pytest.mark.parametrize(
    ("flags", "local"),
    [([], True), (["--runner=DirectRunner"], True), (["--runner=SparkRunner"], False)],
)
def test_only_other_engines_are_beams_own_affair(flags: list[str], local: bool) -> None:
    assert is_local(make_options(flags)) is local


def timers(_: int) -> Iterator[str]:
    """Yields the threads that flush buffers behind their writers' backs."""
    for thread in threading.enumerate():
        if isinstance(thread, PeriodicThread):
            what = thread._function.__qualname__
            if what.startswith(TimeBasedBufferingClosableOutputStream.__name__):
                yield what


def test_no_timer_sends_what_a_worker_is_writing() -> None:
    # With Beam's own setting there is one for each buffer, and elements get lost.
    pipeline = make_pipeline(make_options([]))
    numbers = pipeline | beam.Create(range(10)) | "Spread" >> beam.Reshuffle()
    # Another shuffle behind it, so that there is a buffer which is being written.
    found = numbers | beam.FlatMap(timers) | "Gather" >> beam.Reshuffle()
    _ = found | beam.Map(count_one)
    result = pipeline.run()
    assert counters(result) == {}


def count_one(_: str) -> None:
    beam.metrics.Metrics.counter("test", "timers").inc()


QUOTED = """Traceback (most recent call last):
  File "images.py", line 1, in repair_image
transforms.errors.ImageError: it can't be decoded

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "shards.py", line 1, in build_shard
transforms.errors.ArchiveError: train.tar is damaged
in two places. [while running 'BuildShards/Build']
"""


def test_the_error_is_told_not_its_cause() -> None:
    found = worker_error(RuntimeError(QUOTED))
    assert type(found) is ArchiveError
    assert str(found) == "train.tar is damaged\nin two places."


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ImageError("as it is"), ImageError("as it is")),
        (
            RuntimeError("transforms.errors.NoSuchError: of a later version"),
            BuildError("of a later version"),
        ),
        (RuntimeError("something else"), None),
    ],
    ids=["ours", "unknown", "foreign"],
)
def test_errors_of_ours_are_recognised(
    error: Exception, expected: BuildError | None
) -> None:
    found = worker_error(error)
    assert type(found) is type(expected)
    assert str(found) == str(expected)
