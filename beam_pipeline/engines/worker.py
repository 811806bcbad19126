"""A worker process of a local run: Beam's own, but it ends with the run.

Beam's workers outlive a run that is killed: they wait for it, for ever.
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # Linux's prctl(2)


def main(argv: list[str]) -> None:
    """Works until the run ends.

    Args:
        argv: The program's name and the run's process number.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(argv[1]):
        return  # the run died before this process was bound to it
    # Importing it takes seconds, in which the run may die.
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(argv[:1])


if __name__ == "__main__":
    main(sys.argv)
