"""The engines that run a pipeline, and their options."""

from beam_pipeline.engines.dataflow import is_dataflow, prepare_job, wait_for_job
from beam_pipeline.engines.engines import ENGINES
from beam_pipeline.engines.memory import spare_memory
from beam_pipeline.engines.runners import (
    counters,
    is_local,
    make_beam_parser,
    make_options,
    make_pipeline,
    worker_error,
)
from beam_pipeline.engines.supervision import supervised

__all__ = [
    "ENGINES",
    "counters",
    "is_dataflow",
    "is_local",
    "make_beam_parser",
    "make_options",
    "make_pipeline",
    "prepare_job",
    "spare_memory",
    "supervised",
    "wait_for_job",
    "worker_error",
]
