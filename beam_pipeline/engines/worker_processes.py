"""Worker processes of a local run, which load nothing twice and die with the run.

Beam by itself starts each as a new interpreter, which needs a second to load Beam, and
160 MB. On Linux one process loads Beam while the run plans, and worker processes are
forked from it. Its only threads besides its own are of NumPy and Arrow, whose libraries
expect to be forked; those of gRPC do not, and begin in the worker processes. Elsewhere
each is started by itself.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from logging.handlers import QueueHandler
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any, Final

from apache_beam.portability.api import endpoints_pb2
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.runners.worker import sdk_worker_main
from google.protobuf import json_format, text_format

from beam_pipeline.engines.measuring import measure_little, steps_uncompressed
from beam_pipeline.engines.memory import spare_memory
from beam_pipeline.engines.supervision import WORKER_THREAD
from transforms.cores import share_cores

# The URN of an environment that has worker processes.
WORKER_PROCESS: Final = "imagenet2012_subset:environment:worker_process"


@cache
def load_early() -> Any:
    """Begins to load what worker processes need, where they come from another one.

    Returns:
        The context of ``multiprocessing`` that starts them.
    """
    if sys.platform == "linux":
        context = multiprocessing.get_context("forkserver")
        ours = [name for name in sys.modules if name.startswith("transforms.")]
        context.set_forkserver_preload([__name__, *ours])
        # Its socket needs a directory for temporary files, with a short path.
        with suppress(OSError), _signals_withheld():
            forkserver.ensure_running()
            return context
    return multiprocessing.get_context("spawn")


@worker_handlers.WorkerHandler.register_environment(WORKER_PROCESS, bytes)
class WorkerProcess(worker_handlers.GrpcWorkerHandler):  # type: ignore[misc]
    """A worker process, and what the run hears of it."""

    def __init__(
        self,
        payload: bytes,
        state: worker_handlers.StateServicer,
        provision_info: Any,
        grpc_server: worker_handlers.GrpcServer,
    ) -> None:
        """Takes what Beam gives it; an environment of its kind has no payload."""
        super().__init__(state, provision_info, grpc_server)
        self._watcher: threading.Thread | None = None

    def start_worker(self) -> None:
        """Does nothing: Beam calls it before it is known whether there is work."""

    def start(self, cores: int) -> None:
        """Starts the process, unless it runs.

        Args:
            cores: How many cores are its share.
        """
        if self._watcher is not None:
            return
        control = endpoints_pb2.ApiServiceDescriptor(url=self.control_address)
        environment = dict(os.environ) | {
            "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(control),
            "PIPELINE_OPTIONS": json_format.MessageToJson(
                self.provision_info.provision_info.pipeline_options
            ),
            "WORKER_ID": self.worker_id,
        }
        context = load_early()
        self._log, log = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_work, args=(environment, cores, log), daemon=True
        )
        with _signals_withheld(), _main_withheld():
            self._process.start()
        log.close()
        self._watcher = threading.Thread(target=self._watch, name=WORKER_THREAD)
        self._watcher.start()

    def close(self) -> None:
        """Closes the connections, and waits for the process to end.

        That of the data comes first: the process ends when the other is closed, and is
        missed by a thread that still reads from it.
        """
        self.data_conn.close()
        self.control_conn.close()
        self.stop_worker()

    def stop_worker(self) -> None:
        """Waits until the process ends."""
        if self._watcher is not None:
            self._watcher.join()

    def _watch(self) -> None:
        """Logs what the process logs, as far as it is wanted here.

        Raises:
            RuntimeError: It died.
        """
        with self._log:
            while True:
                try:
                    record = self._log.recv()
                except EOFError:
                    break
                logger = logging.getLogger(record.name)
                if logger.isEnabledFor(record.levelno):
                    logger.handle(record)
        self._process.join()
        if code := self._process.exitcode:
            raise RuntimeError(f"signal {-code}" if code < 0 else f"exit code {code}")


@contextmanager
def _signals_withheld() -> Iterator[None]:
    """Has processes that are started ignore Ctrl-C and SIGTERM from the beginning.

    A signal to the process group, as Ctrl-C in a terminal sends it, is for the run: its
    workers wait for what the run does. A thread's blocked signals are inherited.
    """
    resource_tracker.ensure_running()  # it would let them through again
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def _main_withheld() -> Iterator[None]:
    """Keeps processes that are started from importing the run's main module.

    It may be a script that would start another run, or come from standard input; and
    Beam sends what is defined there along with the steps.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _work(environment: Mapping[str, str], cores: int, log: Connection) -> None:
    """Works in a worker process on what the run sends, until it ends.

    Args:
        environment: Variables, those of the run and those that Beam's worker reads.
        cores: How many cores are this process's share.
        log: Takes the records that are logged.
    """
    die_with_run()
    os.environ.clear()
    os.environ.update(environment)
    logging.getLogger().addHandler(_Sender(log))
    share_cores(cores)
    measure_little()
    spare_memory()
    with steps_uncompressed():
        sdk_worker_main.main([])


def die_with_run() -> None:
    """Has a worker process killed when the run is gone; Beam's waits for it forever."""
    run = multiprocessing.parent_process()
    assert run is not None

    def wait() -> None:
        run.join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


class _Sender(QueueHandler):
    """Sends records to the run, one at a time, as a handler is given them."""

    def __init__(self, log: Any) -> None:
        super().__init__(log)
        self._log = log

    def enqueue(self, record: logging.LogRecord) -> None:
        self._log.send(record)
