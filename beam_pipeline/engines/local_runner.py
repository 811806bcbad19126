"""Beam's FnApiRunner as local runs need it.

It is named explicitly: ``DirectRunner`` tries to download another runner first, which
behaves differently.
"""

import os
import sys
from typing import Any, Final

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_provision_api_pb2, beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner, worker_handlers
from apache_beam.runners.portability.portable_runner import JobServiceHandle

# Beam 2.77's local runner sends what a worker has written so far once a second, from a
# thread that takes no lock: elements written in that moment are lost, without an error,
# or garbled. Without that timer a buffer is sent by the thread that fills it.
_NO_TIMER: Final = 0

# A signal to the process group, as Ctrl-C in a terminal sends it, is for the run: its
# workers ignore it and wait for what the run does. Without exec a shell would stand
# between a worker and the run that it dies with.
_WORKER: Final = "trap '' INT TERM; exec {python} -m beam_pipeline.engines.worker {run}"


class LocalRunner(fn_runner.FnApiRunner):  # type: ignore[misc]
    """The FnApiRunner, with workers that get options and don't outlive the run."""

    def __init__(self, options: PipelineOptions) -> None:
        """Takes the options, which the runner would not send to workers by itself."""
        worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = _NO_TIMER
        encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
        super().__init__(
            provision_info=fn_runner.ExtendedProvisionInfo(
                beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
            )
        )

    def run_via_runner_api(
        self, pipeline_proto: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> Any:
        """Runs a pipeline, where it has worker processes in those of ours."""
        for environment in pipeline_proto.components.environments.values():
            if environment.urn == python_urns.SUBPROCESS_SDK:
                command = _WORKER.format(python=sys.executable, run=os.getpid())
                environment.payload = command.encode()
        return super().run_via_runner_api(pipeline_proto, options)
