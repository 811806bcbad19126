"""Shows how far a build is: live on a terminal, as a line now and then elsewhere.

On this machine workers report their shards (``shards.progress``). On a cluster they do
not, but what they have published can be counted.
"""

import json
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from beam_pipeline.engines import datagram_listener
from transforms.errors import BuildError
from transforms.shards import ShardProgress

_LINE_EVERY: Final = 5.0  # seconds between two lines where there is no terminal
_LINE_VARIABLE: Final = "IMAGENET_PROGRESS_SECONDS"  # another number of them
_DRAW_EVERY: Final = 0.25  # seconds
_COUNT_EVERY: Final = 15.0  # seconds between two looks at what a cluster published
_WINDOW: Final = 10.0  # seconds over which a rate is taken
_DATAGRAM: Final = 4096  # bytes
_TEXTS: Final = 64  # columns of a bar's name and of what stands after it


@dataclass(frozen=True, slots=True)
class Wording:
    """What a display calls the work.

    Attributes:
        begin: What happens before the first shard.
        parts: What shards are called.
        end: What happens after the last one.
    """

    begin: str
    parts: str
    end: str


BUILDING: Final = Wording("reading headers", "shards", "writing documents")
VERIFYING: Final = Wording("starting", "files", "comparing")


@dataclass(frozen=True, slots=True)
class SplitProgress:
    """How far a split is.

    Attributes:
        split: The split.
        done: Members that are written or rejected.
        wanted: Members that it is going to have.
        fresh: Those of ``done`` that were not there before.
        bytes_read: Bytes read of them.
        published: Number of shards that are there.
        shards: Number of shards.
        rejected: Number of members that are left out.
    """

    split: str
    done: int
    wanted: int
    fresh: int
    bytes_read: int
    published: int
    shards: int
    rejected: int


def add_up(shards: Mapping[tuple[str, int], ShardProgress]) -> list[SplitProgress]:
    """Returns how far each split is, in the order of their names.

    Args:
        shards: What was last heard of each shard, by split and index.
    """
    found = []
    for split in sorted({split for split, _ in shards}):
        ours = [shard for shard in shards.values() if shard.split == split]
        found.append(
            SplitProgress(
                split=split,
                done=sum(shard.done for shard in ours),
                wanted=ours[0].split_wanted,
                fresh=sum(shard.done for shard in ours if not shard.resumed),
                bytes_read=sum(shard.bytes_read for shard in ours),
                published=sum(shard.published for shard in ours),
                shards=ours[0].count,
                rejected=sum(shard.rejected for shard in ours),
            )
        )
    return found


class Pace:
    """How fast images are built: over the last seconds, not since the beginning."""

    def __init__(self) -> None:
        """Begins with nothing known."""
        self._seen: deque[tuple[float, int, int]] = deque()

    def add(self, now: float, images: int, size: int) -> None:
        """Notes how much was done at a moment.

        Args:
            now: The moment, in seconds.
            images: Number of images so far.
            size: Bytes read so far.
        """
        self._seen.append((now, images, size))
        while len(self._seen) > 2 and now - self._seen[1][0] >= _WINDOW:
            self._seen.popleft()

    def rates(self) -> tuple[float, float]:
        """Returns images and bytes a second; zeros where nothing can be said."""
        if len(self._seen) < 2:
            return 0.0, 0.0
        (start, images, size), (end, more, larger) = self._seen[0], self._seen[-1]
        seconds = max(end - start, 1e-3)
        return (more - images) / seconds, (larger - size) / seconds


def in_words(splits: list[SplitProgress], pace: Pace, words: Wording = BUILDING) -> str:
    """Returns one line on how far a build is."""
    if not splits:
        return words.begin
    parts = [f"{split.split} {count_in_words(split, words)}" for split in splits]
    return "; ".join([*parts, speed_in_words(splits, pace, words)])


def count_in_words(split: SplitProgress, words: Wording) -> str:
    """Returns how much of a split is done."""
    return (
        f"{split.done:,}/{split.wanted:,} images, "
        f"{split.published:,}/{split.shards:,} {words.parts}"
    )


def speed_in_words(
    splits: list[SplitProgress], pace: Pace, words: Wording = BUILDING
) -> str:
    """Returns rates, the time that is left, and what was rejected."""
    images, size = pace.rates()
    parts = [f"{images:,.0f} images/s, {size / 1e6:,.0f} MB/s"]
    left = sum(split.wanted - split.done for split in splits)
    if left <= 0:
        parts.append(words.end)
    elif images > 0:
        minutes, seconds = divmod(round(left / images), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    rejected = sum(split.rejected for split in splits)
    if rejected:
        parts.append(f"{rejected:,} rejected")
    return ", ".join(parts)


@contextmanager
def shown_progress(
    console: Console,
    words: Wording = BUILDING,
    begun: Iterable[ShardProgress] = (),
    every: float = _DRAW_EVERY,
) -> Iterator[str]:
    """Shows the progress of work on this machine.

    Args:
        console: Where to.
        words: What the work is called.
        begun: What is known of shards before it begins.
        every: Seconds between two looks while nothing is reported.

    Yields:
        The address that workers report to.
    """
    with datagram_listener() as (listener, address):
        display = (_Bars if console.is_terminal else _Lines)(console, words)
        shards = {(shard.split, shard.index): shard for shard in begun}
        with _in_background(
            lambda stop: _watch(listener, display, shards, stop, every),
            wake=lambda: _send_nothing(address),
        ):
            yield address


@contextmanager
def counted_progress(
    console: Console, count: Callable[[], str], every: float = _COUNT_EVERY
) -> Iterator[None]:
    """Shows the progress of a build elsewhere, by what it has published.

    Args:
        console: Where to.
        count: Returns in words what is there.
        every: Seconds between two looks.
    """

    def watch(stop: threading.Event) -> None:
        said = ""
        while not stop.wait(every):
            with suppress(BuildError):  # the storage's; the next look may succeed
                now = count()
                if now != said:
                    console.print(now)
                    said = now

    with _in_background(watch):
        yield


@contextmanager
def _in_background(
    work: Callable[[threading.Event], None], wake: Callable[[], None] = lambda: None
) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        wake()
        thread.join()


def _send_nothing(address: str) -> None:
    """Wakes the listener, which does not sleep if its queue is full."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
        suppress(OSError),
    ):
        sender.sendto(b"", socket.MSG_DONTWAIT, address)


def _watch(
    listener: socket.socket,
    display: "_Bars | _Lines",
    shards: dict[tuple[str, int], ShardProgress],
    stop: threading.Event,
    every: float,
) -> None:
    pace = Pace()
    with display:
        stopped = False
        while not stopped:
            stopped = stop.is_set()  # and what was sent before is shown
            if select.select([listener], [], [], 0 if stopped else every)[0]:
                _hear(listener, shards)
            splits = add_up(shards)
            fresh = sum(split.fresh for split in splits)
            if splits:  # before, headers are read, and no image
                size = sum(split.bytes_read for split in splits)
                pace.add(time.monotonic(), fresh, size)
            display.show(splits, pace)


def _hear(
    listener: socket.socket, shards: dict[tuple[str, int], ShardProgress]
) -> None:
    """Takes in all datagrams that have come."""
    with suppress(BlockingIOError):
        while True:
            data = listener.recv(_DATAGRAM, socket.MSG_DONTWAIT)
            with suppress(ValueError, TypeError):
                shard = ShardProgress(**json.loads(data))
                shards[shard.split, shard.index] = shard


class _Lines:
    """Prints a line now and then."""

    def __init__(self, console: Console, words: Wording) -> None:
        self._console = console
        self._words = words
        self._printed = time.monotonic()
        try:
            self._every = float(os.environ.get(_LINE_VARIABLE) or _LINE_EVERY)
        except ValueError:
            self._every = _LINE_EVERY

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, splits: list[SplitProgress], pace: Pace) -> None:
        """Prints how far the work is, if it is time."""
        now = time.monotonic()
        if now - self._printed >= self._every:
            self._printed = now
            self._console.print(in_words(splits, pace, self._words))


class _Bars:
    """Draws a bar for each split, and a line below them."""

    def __init__(self, console: Console, words: Wording) -> None:
        self._words = words
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=_bar_width(console)),
            TextColumn("{task.fields[text]}"),
            console=console,
            refresh_per_second=1 / _DRAW_EVERY,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._line = self._progress.add_task(words.begin, total=None, text="")

    def __enter__(self) -> None:
        self._progress.start()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, splits: list[SplitProgress], pace: Pace) -> None:
        """Moves the bars."""
        for split in splits:
            if split.split not in self._tasks:
                self._tasks[split.split] = self._progress.add_task(
                    split.split, total=split.wanted, text=""
                )
            self._progress.update(
                self._tasks[split.split],
                completed=split.done,
                total=split.wanted,
                text=count_in_words(split, self._words),
            )
        if splits:
            self._progress.update(
                self._line,
                description="all",
                completed=sum(split.done for split in splits),
                total=sum(split.wanted for split in splits),
                text=speed_in_words(splits, pace, self._words),
            )


def _bar_width(console: Console) -> int:
    """Returns the columns that are left of a line beside its longest texts."""
    return max(4, min(30, console.width - _TEXTS))
