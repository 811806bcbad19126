"""Sends the progress of a shard to the command, without waiting for it.

A worker on the machine of the command sends small datagrams to a Unix socket. Each has
the whole state of one shard, so a lost one does not matter, and the size of its split,
so that the first one gives the total. No result depends on them. Without a listener
nothing is sent.
"""

import json
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final

from transforms.planning import ShardSpec

_INTERVAL: Final = 0.2  # seconds between two datagrams of a shard
_LOOK_EVERY: Final = 8  # members between two looks at the clock


@dataclass(slots=True)
class ShardProgress:
    """How far a shard is.

    Attributes:
        split: The split it belongs to.
        index: Its position in the split.
        count: Number of shards of the split.
        wanted: Number of its members.
        split_wanted: Number of the members of all shards of the split.
        done: Number of those that are written or rejected.
        bytes_read: Their lengths in the archives, in bytes.
        rejected: Number of those that are rejected.
        published: Whether its files are there.
        resumed: Whether they were there before.
    """

    split: str
    index: int
    count: int
    wanted: int
    split_wanted: int
    done: int = 0
    bytes_read: int = 0
    rejected: int = 0
    published: bool = False
    resumed: bool = False


class ShardMeter:
    """Counts a shard's members as they are written, and reports now and then."""

    def __init__(
        self, address: str, progress: ShardProgress, interval: float = _INTERVAL
    ) -> None:
        """Reports the shard as it begins.

        Args:
            address: Path of the socket that is listened to; empty for none.
            progress: How far the shard is.
            interval: Least seconds between two datagrams.
        """
        self._address = address
        self._interval = interval
        self._progress = progress
        self._reported = 0.0
        self._report()

    def count(self, size: int, *, rejected: bool) -> None:
        """Counts one member.

        Args:
            size: Its length in the archive, in bytes.
            rejected: Whether it is left out.
        """
        progress = self._progress
        progress.done += 1
        progress.bytes_read += size
        progress.rejected += rejected
        if progress.done % _LOOK_EVERY == 0:
            now = time.monotonic()
            if now - self._reported >= self._interval:
                self._reported = now
                self._report()

    def publish(self, *, resumed: bool) -> None:
        """Reports that the shard's files are there.

        Args:
            resumed: Whether they were there before.
        """
        self._progress.published, self._progress.resumed = True, resumed
        self._progress.done = self._progress.wanted
        self._report()

    def _report(self) -> None:
        if self._address:
            data = json.dumps(asdict(self._progress)).encode()
            with (
                suppress(OSError),
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
            ):
                sender.sendto(data, socket.MSG_DONTWAIT, self._address)


def meter_of(spec: ShardSpec, address: str, label: str = "") -> ShardMeter:
    """Returns the meter of a shard, which reports at once how large it is.

    Args:
        spec: The shard.
        address: Path of the socket that is listened to; empty for none.
        label: What the split is called; empty for its name.
    """
    progress = ShardProgress(
        split=label or spec.split,
        index=spec.index,
        count=spec.count,
        wanted=spec.members.num_rows,
        split_wanted=spec.split_members,
    )
    return ShardMeter(address, progress)
