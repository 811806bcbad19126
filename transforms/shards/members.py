"""A shard's images: read by range, treated and observed, in the order of its records.

Where every image is decoded, that is done on all cores: one pool for the whole process,
however many shards it works on, and a window of a few batches for each shard, so that
memory does not grow with the shard.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Final

from transforms.archives import open_members
from transforms.cores import available_cores
from transforms.formats import Example, Source
from transforms.images import (
    ImagePolicy,
    RejectedImage,
    treat_image,
)
from transforms.planning import PlannedImage, ShardSpec
from transforms.statistics import Observation, content_hash, sample_pixels

_BATCH: Final = 4  # images; fewer wake threads too often (docs/performance.md)


@dataclass(frozen=True, slots=True)
class Accepted:
    """An image that is written.

    Attributes:
        example: The record.
        observation: Its part of the statistics.
    """

    example: Example
    observation: Observation


@dataclass(frozen=True, slots=True)
class Rejected:
    """An image that is left out.

    Attributes:
        source: Which it is, and where its bytes lie.
        reason: One of ``policy.REASONS``.
        message: What is wrong with it.
    """

    source: Source
    reason: str
    message: str


def treated_members(
    spec: ShardSpec, policy: ImagePolicy, *, with_pixels: bool
) -> Iterator[Accepted | Rejected]:
    """Yields the result of treating each of a shard's members, in order.

    Args:
        spec: The shard.
        policy: What is done to its images.
        with_pixels: Whether pixels are observed too, which takes decoding.

    Raises:
        ArchiveError: A member is damaged in its archive.
        StorageError: A member can't be read.
    """
    members = _read_members(spec)
    if not with_pixels and not policy.decodes:
        for image, data in members:
            yield _treat(image, data, policy, with_pixels)
        return
    longest = available_cores() + 1  # batches that are read and not yet written
    window: deque[Future[list[Accepted | Rejected]]] = deque()
    try:
        while batch := list(islice(members, _BATCH)):
            window.append(_pool().submit(_treat_all, batch, policy, with_pixels))
            if len(window) == longest:
                yield from window.popleft().result()
        while window:
            yield from window.popleft().result()
    finally:
        for future in window:
            future.cancel()


def _read_members(spec: ShardSpec) -> Iterator[tuple[PlannedImage, bytes]]:
    """Yields the shard's members in order."""
    images = list(spec.images())
    with open_members(spec.archives) as members:
        everything = members.read_all([image.place for image in images])
        yield from zip(images, everything, strict=True)


def _treat_all(
    members: list[tuple[PlannedImage, bytes]], policy: ImagePolicy, with_pixels: bool
) -> list[Accepted | Rejected]:
    return [_treat(image, data, policy, with_pixels) for image, data in members]


def _treat(
    planned: PlannedImage, data: bytes, policy: ImagePolicy, with_pixels: bool
) -> Accepted | Rejected:
    source = planned.source
    try:
        treated = treat_image(data, policy)
    except RejectedImage as error:
        return Rejected(source, error.reason, str(error))
    image = treated.data
    observation = Observation(
        source=source,
        digest=content_hash(data),
        image_bytes=len(image),
        header=treated.header,
        repaired=treated.repaired or "",
        warnings=treated.warnings,
        pixels=sample_pixels(image) if with_pixels else None,
        labels=planned.labels,
    )
    example = Example(source.name, image, source.label, planned.labels, treated.header)
    return Accepted(example, observation)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(available_cores(), thread_name_prefix="images")
