"""Beam's FnApiRunner as local runs need it.

It is named explicitly: ``DirectRunner`` tries to download another runner first, which
behaves differently.

Beam's own runs each stage on all workers, and gives every worker an equal part of it at
the beginning. Here the stages that plan run in this process, which takes a few
milliseconds each. Those that the pipeline spreads, by a Reshuffle, run as many bundles,
and each is given to the worker that is free first: a thread of this process, or one of
a worker process.
"""

import copy
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from queue import SimpleQueue
from typing import Any, Final

from apache_beam import Pipeline
from apache_beam.metrics import monitoring_infos
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_provision_api_pb2,
    beam_runner_api_pb2,
)
from apache_beam.runners.portability.fn_api_runner import (
    execution,
    fn_runner,
    translations,
    worker_handlers,
)
from apache_beam.runners.portability.portable_runner import JobServiceHandle

from beam_pipeline.engines.measuring import measure_little, steps_uncompressed
from beam_pipeline.engines.worker_processes import (
    WORKER_PROCESS,
    WorkerProcess,
    load_early,
)
from beam_pipeline.engines.workers import LocalWorkers, local_workers

# Beam 2.77's local runner sends what a worker has written so far once a second, from a
# thread that takes no lock: elements written in that moment are lost, without an error,
# or garbled. Without that timer a buffer is sent by the thread that fills it.
_NO_TIMER: Final = 0

_WORKER_ENVIRONMENT: Final = "worker_processes"

# How the last step of a Reshuffle is called: what follows is spread over the workers.
_RESHUFFLED: Final = "/ReshufflePerKey/GroupByKey/Read"

# More bundles would cost more than they even out: each costs some milliseconds.
_MOST_BUNDLES: Final = 1024


class LocalRunner(fn_runner.FnApiRunner):  # type: ignore[misc]
    """The FnApiRunner, with workers that get options and don't outlive the run."""

    def __init__(self, options: PipelineOptions) -> None:
        """Takes the options, which the runner would not send to workers by itself."""
        worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = _NO_TIMER
        measure_little()
        encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
        super().__init__(
            provision_info=fn_runner.ExtendedProvisionInfo(
                beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
            )
        )
        self._workers = local_workers(options)
        self._spread: set[str] = set()

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> Any:
        """Runs a pipeline to its end."""
        with steps_uncompressed():
            return super().run_pipeline(pipeline, options)

    def run_via_runner_api(
        self, pipeline_proto: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> Any:
        """Runs a pipeline, in this process where it does not say otherwise itself."""
        self._num_workers = self._workers.processes or self._workers.threads
        if self._workers.processes:
            load_early()
        for environment in pipeline_proto.components.environments.values():
            environment.urn = python_urns.EMBEDDED_PYTHON
            environment.payload = b""
        return super().run_via_runner_api(pipeline_proto, options)

    def create_stages(
        self, pipeline_proto: beam_runner_api_pb2.Pipeline
    ) -> tuple[translations.TransformContext, list[translations.Stage]]:
        """Cuts a pipeline into stages, and notes which are spread over the workers."""
        context, stages = super().create_stages(pipeline_proto)
        spread = [stage for stage in stages if _is_spread(stage)]
        self._spread = {stage.name for stage in spread}
        if self._workers.processes:
            environment = context.components.environments[_WORKER_ENVIRONMENT]
            environment.urn = WORKER_PROCESS
            for stage in spread:
                stage.environment = _WORKER_ENVIRONMENT
        return context, stages

    def _get_bundle_manager(
        self, bundle_context_manager: execution.BundleContextManager
    ) -> fn_runner.BundleManager:
        tokens = self.get_cache_token_generator(static=False)
        if bundle_context_manager.stage.name in self._spread:
            return _SpreadBundles(bundle_context_manager, self._workers, tokens)
        return fn_runner.BundleManager(
            bundle_context_manager, cache_token_generator=tokens
        )


def _is_spread(stage: translations.Stage) -> bool:
    names = (transform.unique_name for transform in stage.transforms)
    return any(name.endswith(_RESHUFFLED) for name in names)


class _SpreadBundles(fn_runner.BundleManager):  # type: ignore[misc]
    """Runs a stage as many bundles, each by the worker that is free first."""

    def __init__(
        self,
        context: execution.BundleContextManager,
        workers: LocalWorkers,
        tokens: Iterator[Any],
    ) -> None:
        """Takes what the run has."""
        super().__init__(context, cache_token_generator=tokens)
        self._workers = workers

    def process_bundle(
        self,
        inputs: Mapping[str, execution.PartitionableBuffer],
        expected_outputs: Mapping[str, bytes],
        fired_timers: Mapping[Any, execution.PartitionableBuffer],
        expected_output_timers: Mapping[Any, Any],
        dry_run: bool = False,
    ) -> tuple[beam_fn_api_pb2.InstructionResponse, list[Any]]:
        """Runs all bundles; where one fails, those that have begun are the last."""
        bundles = _bundles(inputs)
        workers = self._start_workers(len(bundles))
        free: SimpleQueue[worker_handlers.WorkerHandler] = SimpleQueue()
        for worker in workers:
            free.put(worker)

        def run(bundle: Mapping[str, list[bytes]]) -> Any:
            worker = free.get()
            try:
                return self._on(worker).process_bundle(
                    bundle, expected_outputs, {}, expected_output_timers, dry_run
                )
            finally:
                free.put(worker)

        pool = ThreadPoolExecutor(len(workers), thread_name_prefix="bundles")
        try:
            results = list(pool.map(run, bundles))
        finally:
            pool.shutdown(cancel_futures=True)
        infos = [
            info for done, _ in results for info in done.process_bundle.monitoring_infos
        ]
        merged = beam_fn_api_pb2.InstructionResponse(
            process_bundle=beam_fn_api_pb2.ProcessBundleResponse(
                monitoring_infos=monitoring_infos.consolidate(infos)
            )
        )
        return merged, [split for _, splits in results for split in splits]

    def _start_workers(self, bundles: int) -> list[worker_handlers.WorkerHandler]:
        """Returns a worker as often as it works on bundles at a time.

        Where there are fewer bundles than processes, fewer are started, and each has
        more of the cores: the images of one bundle are decoded on all of them.
        """
        workers: list[worker_handlers.WorkerHandler]
        workers = self.bundle_context_manager.worker_handlers
        if not self._workers.processes:
            return workers
        used = workers[:bundles]
        for worker in used:
            assert isinstance(worker, WorkerProcess)
            worker.start(ceil(self._workers.cores / len(used)))
        return used * self._workers.threads

    def _on(self, worker: worker_handlers.WorkerHandler) -> fn_runner.BundleManager:
        context = copy.copy(self.bundle_context_manager)
        context._worker_handlers = [worker]
        return fn_runner.BundleManager(
            context, cache_token_generator=self._cache_token_generator
        )


def _bundles(
    inputs: Mapping[str, execution.PartitionableBuffer],
) -> list[dict[str, list[bytes]]]:
    """Cuts a stage's elements into bundles of one, or of a few where there are many."""
    bundles: list[dict[str, list[bytes]]] = [{} for _ in range(_MOST_BUNDLES)]
    for name, elements in inputs.items():
        parts = elements.partition(_MOST_BUNDLES)
        for bundle, part in zip(bundles, parts, strict=True):
            bundle[name] = part
    filled = [each for each in bundles if any(map(any, each.values()))]
    return filled or bundles[:1]  # for a stage runs once where it is given nothing
