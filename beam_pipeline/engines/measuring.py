"""Beam's work that a local run has nothing of, and waits for.

A thread looks which step a bundle is at: at first every 2 ms, in a bundle that takes
longer every 200 ms. A bundle ends when that thread wakes up.

Of each step's first ten elements, and of some later ones, Beam notes the size. It
pickles them to know it, and the steps of a plan hand on few elements with many rows.
"""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from apache_beam import coders
from apache_beam.coders import coder_impl, stream
from apache_beam.internal import cloudpickle_pickler
from apache_beam.runners.worker import statesampler

_SAMPLED_EVERY: Final = 5  # milliseconds


class _Uncompressed:
    """Takes the place of ``bz2`` where steps are packed."""

    @staticmethod
    def compress(data: bytes, compresslevel: int) -> bytes:
        return data

    @staticmethod
    def decompress(data: bytes) -> bytes:
        return data


@contextmanager
def steps_uncompressed() -> Iterator[None]:
    """Has steps handed on as they are in the block: they do not leave the machine.

    Each holds its list's names, which Beam compresses and unpacks for each worker.
    """
    before, cloudpickle_pickler.bz2 = cloudpickle_pickler.bz2, _Uncompressed
    try:
        yield
    finally:
        cloudpickle_pickler.bz2 = before


@cache
def measure_little() -> None:
    """Makes pipelines of this process, and its bundles, spend little on measuring."""
    statesampler.StateSampler.__init__.__defaults__ = (_SAMPLED_EVERY,)
    coders.registry.register_fallback_coder(PickledCoder())


class PickledCoder(coders.FastPrimitivesCoder):  # type: ignore[misc]
    """Encodes values that Beam has no coder for, and counts no byte of them."""

    def __init__(self) -> None:
        """Encodes as Beam's own coder does."""
        super().__init__(_UncountedCoder())


class _UncountedCoder(coders.PickleCoder):  # type: ignore[misc]
    def _create_impl(self) -> coder_impl.CoderImpl:
        return _Uncounted()


class _Uncounted(coder_impl.StreamCoderImpl):  # type: ignore[misc]
    def encode_to_stream(
        self, value: Any, out: stream.OutputStream, nested: bool
    ) -> None:
        if not isinstance(out, stream.ByteCountingOutputStream):
            out.write(pickle.dumps(value, pickle.HIGHEST_PROTOCOL), nested)

    def decode_from_stream(self, source: stream.InputStream, nested: bool) -> Any:
        return pickle.loads(source.read_all(nested))
