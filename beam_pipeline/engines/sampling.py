"""Beam's sampling of steps, which makes every bundle wait at its end.

A thread looks which step a bundle is at: at first every 2 ms, in a bundle that takes
longer every 200 ms. A bundle ends when that thread wakes up, which was a quarter of a
second of every build.
"""

from typing import Final

from apache_beam.runners.worker import statesampler

_EVERY: Final = 5  # milliseconds


def sample_often() -> None:
    """Has bundles of this process end when they are done, but for milliseconds."""
    statesampler.StateSampler.__init__.__defaults__ = (_EVERY,)
