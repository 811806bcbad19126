"""A worker process of a local run: Beam's own, except that it dies with the run.

Beam's workers outlive a run that is killed: they wait for it forever.
"""

import os
import sys
from collections.abc import Callable

from beam_pipeline.engines.system import die_with


def work(cores: int) -> None:
    """Works on what the run sends, with a share of the cores."""
    # Importing it takes seconds, in which the run may die.
    from apache_beam.runners.worker import sdk_worker_main

    from beam_pipeline.engines.measuring import measure_little
    from beam_pipeline.engines.memory import spare_memory
    from transforms.cores import share_cores

    share_cores(cores)
    measure_little()
    spare_memory()
    sdk_worker_main.main(sys.argv[:1])


def main(argv: list[str], work: Callable[[int], None] = work) -> None:
    """Works until the run ends.

    Args:
        argv: The program's name, the run's process number, and how many of the cores
            are this process's share.
        work: What it does.
    """
    run, cores = map(int, argv[1:])
    die_with(run)
    if os.getppid() != run:
        return  # the run died before this process was bound to it
    work(cores)


if __name__ == "__main__":
    main(sys.argv)
