"""A worker process of a local run: Beam's own, except that it dies with the run.

Beam's workers outlive a run that is killed: they wait for it forever.
"""

import os
import sys

from beam_pipeline.engines.system import die_with


def main(argv: list[str]) -> None:
    """Works until the run ends.

    Args:
        argv: The program's name and the run's process number.
    """
    run = int(argv[1])
    die_with(run)
    if os.getppid() != run:
        return  # the run died before this process was bound to it
    # Importing it takes seconds, in which the run may die.
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(argv[:1])


if __name__ == "__main__":
    main(sys.argv)
