"""Starts Python workers for several TaskManagers of this machine.

Beam's own pool, ``apache_beam.runners.worker.worker_pool_main``, is for one: every
TaskManager counts its workers from ``1-1``, and a pool that two share stops the worker
of one of them when the other has no more work; the job then waits for ever. That pool
also listens on every interface, and starts whatever is called ``python``.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer


class _SharedWorkerPool(BeamFnExternalWorkerPoolServicer):
    """Starts workers, and lets them end by themselves."""

    def StopWorker(  # noqa: N802 -- as the service has it
        self, request: beam_fn_api_pb2.StopWorkerRequest, context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Does nothing: a worker ends when its TaskManager hangs up."""
        return beam_fn_api_pb2.StopWorkerResponse()


def serve(port: int) -> None:
    """Starts and stops workers as it is asked to, until it is killed.

    Workers are processes of this one's process group: a signal to the group ends all.

    Args:
        port: Where to listen.
    """
    # The pool starts whatever is called `python`.
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    server = grpc.server(ThreadPoolExecutor())
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(
        _SharedWorkerPool(use_process=True), server
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
