"""A local run that ends when it should: on Ctrl-C, and when a worker process dies.

Beam's local runner can't be interrupted: it waits for threads that go on working, and
for ever for a worker process that is gone. Published files stay whole whatever happens,
so it is safe to end the worker processes, then this one.
"""

import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.util import get_temp_dir
from types import FrameType
from typing import Final

from beam_pipeline.engines.system import descendants

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

# The name of a thread that waits for a worker process, and fails with it.
WORKER_THREAD: Final = "run_worker"

_ENDING: Final = threading.Lock()


@contextmanager
def supervised(
    interrupted: Callable[[], None], worker_died: Callable[[str], None], failed: int
) -> Iterator[None]:
    """Ends the process at once where it is interrupted or a worker process dies.

    Args:
        interrupted: Informs the user, and tidies up, when all workers have stopped.
        worker_died: Does the same, given what Beam knows of the death.
        failed: The exit code for that; an interrupted process ends with 128 and the
            number of the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # nobody interrupts another thread
        return

    def on_signal(number: int, _: FrameType | None) -> None:
        _end(interrupted, 128 + number)

    def on_thread_error(error: threading.ExceptHookArgs) -> None:
        thread = error.thread.name if error.thread else ""
        if thread == WORKER_THREAD and isinstance(error.exc_value, RuntimeError):
            reason = str(error.exc_value)
            _end(lambda: worker_died(reason), failed)
        hook_before(error)

    hook_before, threading.excepthook = threading.excepthook, on_thread_error
    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield
    finally:
        threading.excepthook = hook_before
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(inform: Callable[[], None], code: int) -> None:
    """Ends this process and all it started; nothing that could hang runs after that."""
    if not _ENDING.acquire(blocking=False):
        threading.Event().wait()  # for the thread that came first
    # The threads that go on until the exit miss the processes that are killed here.
    logging.disable()
    threading.excepthook = lambda _: None
    for process in descendants(os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    with suppress(OSError):  # where the socket lies that worker processes come by
        shutil.rmtree(get_temp_dir())
    try:
        inform()
        sys.stdout.flush()
    finally:
        os._exit(code)
