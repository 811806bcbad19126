"""Runs a staged pipeline here: ``python -m tests.suites.dataflow.execute FILE.pb``.

It is what a Dataflow worker is given: the pipeline's proto and an environment that has
the project installed. It prints the counters as JSON; where the pipeline fails, the
traceback goes to stderr as it goes to a worker's log.
"""

import json
import sys
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms import environments

from beam_pipeline.engines.runners import counters


def load_pipeline(data: bytes) -> beam_runner_api_pb2.Pipeline:
    """Returns a pipeline that runs here instead of in the container it names."""
    pipeline = beam_runner_api_pb2.Pipeline.FromString(data)
    here = environments.EmbeddedPythonEnvironment.default().to_runner_api(None)
    for environment in pipeline.components.environments.values():
        environment.CopyFrom(here)
    return pipeline


if __name__ == "__main__":
    pipeline = load_pipeline(Path(sys.argv[1]).read_bytes())
    result = FnApiRunner().run_via_runner_api(pipeline, PipelineOptions([]))
    result.wait_until_finish()
    found = [[*key, value] for key, value in counters(result).items()]
    json.dump(found, sys.stdout)
