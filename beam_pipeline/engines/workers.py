"""How many processes and threads a local run has."""

import argparse
from collections.abc import Collection
from dataclasses import dataclass
from math import ceil
from typing import Final

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions

from transforms.cores import available_cores
from transforms.errors import ConfigError

IN_TURN: Final = "in_memory"
THREADS: Final = "multi_threading"
PROCESSES: Final = "multi_processing"

# Python's lock is held for a third of the time of an image that is passed through
# (docs/performance.md, "All cores"). Up to this number of cores, what processes gain is
# less than what starting them takes; beyond it, each has as many threads as gain.
_MOST_CORES: Final = 4
_THREADS_EACH: Final = 2


class LocalOptions(PipelineOptions):  # type: ignore[misc]
    """What Beam has no flag for."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--direct_worker_threads",
            type=int,
            default=1,
            help="shards that each worker process of a local run works on at a time",
        )


@dataclass(frozen=True, slots=True)
class LocalWorkers:
    """What a local run has.

    Attributes:
        processes: Number of worker processes; 0 where the run itself does the work.
        threads: Number of shards that each of them, or the run, works on at a time.
        cores: Number of cores that they share.
    """

    processes: int
    threads: int
    cores: int


def choose_workers(
    options: PipelineOptions, given: Collection[str], cores: int
) -> None:
    """Sets what the command line leaves open: all cores are used.

    Args:
        options: Beam's options, of a local run.
        given: The names of the flags on the command line.
        cores: How many cores there are.

    Raises:
        ConfigError: A number is below what it counts.
    """
    direct = options.view_as(DirectOptions)
    if direct.direct_num_workers < 0:
        raise ConfigError(
            f"--direct_num_workers {direct.direct_num_workers}: expected a number of "
            "workers, or 0 for all cores."
        )
    threads = options.view_as(LocalOptions).direct_worker_threads
    if threads < 1:
        raise ConfigError(f"--direct_worker_threads {threads}: expected 1 or more.")
    number = direct.direct_num_workers or cores
    if "direct_num_workers" not in given:
        number = cores
    if "direct_running_mode" in given:
        if direct.direct_running_mode == IN_TURN:
            number = 1
        direct.direct_num_workers = number
    elif min(number, cores) <= _MOST_CORES:
        direct.direct_running_mode = THREADS
        direct.direct_num_workers = number
    else:
        direct.direct_running_mode = PROCESSES
        direct.direct_num_workers = ceil(number / _THREADS_EACH)
        threads = ceil(number / direct.direct_num_workers)
        options.view_as(LocalOptions).direct_worker_threads = threads


def local_workers(options: PipelineOptions) -> LocalWorkers:
    """Returns what the options of a local run ask for."""
    direct = options.view_as(DirectOptions)
    cores = available_cores()
    number = direct.direct_num_workers
    if direct.direct_running_mode == PROCESSES:
        threads = options.view_as(LocalOptions).direct_worker_threads
        return LocalWorkers(number, threads, cores)
    return LocalWorkers(0, number, cores)
