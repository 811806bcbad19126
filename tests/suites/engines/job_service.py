"""Serves Beam's portable job service on a port, for engines' test of its protocol.

What ``apache_beam.runners.portability.local_job_service_main`` does, but on 127.0.0.1
alone and without the timer that loses elements (see ``beam_pipeline.engines.runners``).
"""

import sys
import threading

from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.runners.portability.local_job_service import LocalJobServicer


class JobService(LocalJobServicer):
    """The job service, for this machine alone."""

    def get_bind_address(self) -> str:
        return "127.0.0.1"


if __name__ == "__main__":
    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0
    JobService().start_grpc_server(int(sys.argv[1]))
    threading.Event().wait()
