"""Starts Python workers for the TaskManagers of this machine.

Beam's own pool, ``apache_beam.runners.worker.worker_pool_main``, is what a cluster
runs on each of its machines. It listens on every interface; this one, meant for trying
things, on 127.0.0.1 alone. And it starts the interpreter that it runs on itself.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer


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
        BeamFnExternalWorkerPoolServicer(use_process=True), server
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
