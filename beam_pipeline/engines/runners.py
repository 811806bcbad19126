"""Pipelines and the runners they run on.

Locally that is Beam's FnApiRunner (``local_runner``) with the workers that ``workers``
chooses. The flags of other engines are in ``engines``.
"""

import argparse
from collections.abc import Callable, Collection
from importlib.util import find_spec
from typing import Any, Final

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    PipelineOptions,
    StandardOptions,
    TypeOptions,
)
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability.portable_runner import (
    JobServiceHandle,
    PortableRunner,
)
from apache_beam.runners.runner import PipelineResult, create_runner

from beam_pipeline.engines.job_servers import require_job_server
from beam_pipeline.engines.local_runner import LocalRunner
from beam_pipeline.engines.workers import choose_workers, local_workers
from transforms.cores import available_cores
from transforms.errors import ConfigError
from transforms.extras import install_line
from transforms.fields import nearest

LOCAL_RUNNERS: Final = frozenset({"", "DirectRunner", "FnApiRunner"})


def make_options(flags: list[str]) -> PipelineOptions:
    """Returns Beam's options, with all cores for local runs unless they say otherwise.

    Args:
        flags: Beam's, from the command line and of an engine.

    Raises:
        ConfigError: There is no runner of that name, or its libraries are missing.
    """
    options = PipelineOptions(flags)
    _require_known_runner(options)
    if is_dataflow(options) and find_spec("apitools") is None:
        raise ConfigError(
            f"Dataflow needs Google's libraries. Install them: {install_line('gcp')}"
        )
    if is_local(options):
        given = {flag.partition("=")[0].lstrip("-") for flag in flags}
        choose_workers(options, given, available_cores())
        # Types are the tests' affair; checking them took a tenth of a small build.
        options.view_as(TypeOptions).pipeline_type_check = False
    return options


def _require_known_runner(options: PipelineOptions) -> None:
    known = StandardOptions.KNOWN_RUNNER_NAMES
    name = options.view_as(StandardOptions).runner or known[0]
    if name not in known and "." not in name:
        raise ConfigError(f"Unknown runner {name}. {nearest(name, known)}")


def is_local(options: PipelineOptions) -> bool:
    """Returns whether a pipeline with these options runs on this machine alone."""
    return (options.view_as(StandardOptions).runner or "") in LOCAL_RUNNERS


def is_dataflow(options: PipelineOptions) -> bool:
    """Returns whether a pipeline with these options becomes a job on Dataflow."""
    runner = options.view_as(StandardOptions).runner or ""
    return str(runner).rpartition(".")[2] == "DataflowRunner"


def shards_at_once(options: PipelineOptions) -> int:
    """Returns how many shards a local run with these options works on at a time."""
    workers = local_workers(options)
    return max(1, workers.processes) * workers.threads


def make_pipeline(
    options: PipelineOptions,
    refuse_unknown: Callable[[Collection[str]], None] = lambda _: None,
) -> beam.Pipeline:
    """Returns an empty pipeline on the engine that the options name.

    Args:
        options: Beam's options.
        refuse_unknown: Is called before anything runs elsewhere than on this machine,
            with the names of the flags that the engine knows besides Beam's; raises if
            there are others.

    Raises:
        ConfigError: The engine can't be started.
    """
    if is_local(options):
        return beam.Pipeline(runner=LocalRunner(options), options=options)
    require_job_server(options)
    runner = create_runner(options.view_as(StandardOptions).runner)
    if isinstance(runner, PortableRunner):
        _ask_job_server(runner, refuse_unknown)
    else:
        refuse_unknown([])
    return beam.Pipeline(runner=runner, options=options)


def _ask_job_server(
    runner: PortableRunner, refuse_unknown: Callable[[Collection[str]], None]
) -> None:
    """Makes a runner ask its job server, once there is one, which flags it knows.

    By itself it drops those that it does not know.
    """
    make_handle = runner.create_job_service_handle

    def make_checked_handle(
        job_service: Any, options: PipelineOptions
    ) -> JobServiceHandle:
        request = beam_job_api_pb2.DescribePipelineOptionsRequest()
        described = job_service.DescribePipelineOptions(request)
        refuse_unknown([option.name for option in described.options])
        return make_handle(job_service, options)

    runner.create_job_service_handle = make_checked_handle


def make_beam_parser() -> argparse.ArgumentParser:
    """Returns a parser that knows every flag of Beam's."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for options in PipelineOptions.__subclasses__():
        if add := vars(options).get("_add_argparse_args"):
            add.__get__(None, options)(parser)
    return parser


def counters(result: PipelineResult) -> dict[tuple[str, str], int]:
    """Returns a finished pipeline's counters by namespace and name."""
    found: dict[tuple[str, str], int] = {}
    for counter in result.metrics().query()["counters"]:
        name = counter.key.metric
        key = (name.namespace, name.name)
        found[key] = found.get(key, 0) + (counter.result or 0)
    return found
