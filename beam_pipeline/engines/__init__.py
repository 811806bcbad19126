"""The engines that run a pipeline, and their options."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from beam_pipeline.engines.engines import ENGINES, engine_flags
    from beam_pipeline.engines.memory import load_beam, spare_memory
    from beam_pipeline.engines.supervision import supervised
    from beam_pipeline.engines.system import datagram_listener
    from beam_pipeline.engines.worker_errors import worker_error
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "ENGINES",
    "datagram_listener",
    "engine_flags",
    "load_beam",
    "spare_memory",
    "supervised",
    "worker_error",
]
