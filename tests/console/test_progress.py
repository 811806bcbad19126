"""Progress: what workers tell, what it adds up to, and how it is put."""

import io
import json
import os
import re
import socket
import threading
from dataclasses import replace
from typing import cast

import pytest
from rich.console import Console

from beam_pipeline.console import VERIFYING, progress
from beam_pipeline.console.progress import Pace, SplitProgress, add_up, in_words
from transforms.images import ImagePolicy
from transforms.planning import ShardSpec
from transforms.planning.spec import SHARD_SCHEMA
from transforms.shards import ShardOutput
from transforms.shards.progress import ShardMeter, ShardProgress
from transforms.shards.steps import BuildShards
from transforms.verification import ShardFile, unread_files


def test_a_meter_reports_its_shard() -> None:
    address = f"\0test-progress-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        meter = ShardMeter(address, ShardProgress("train", 3, 8, 20, 160), interval=0)
        for number in range(20):
            meter.count(100, rejected=number == 5)
        meter.publish(resumed=False)
        told = [json.loads(listener.recv(4096)) for _ in range(4)]
    begun = {
        "split": "train",
        "index": 3,
        "count": 8,
        "wanted": 20,
        "split_wanted": 160,
        "done": 0,
        "bytes_read": 0,
        "rejected": 0,
        "published": False,
        "resumed": False,
    }
    assert told == [
        begun,
        begun | {"done": 8, "bytes_read": 800, "rejected": 1},
        begun | {"done": 16, "bytes_read": 1600, "rejected": 1},
        begun | {"done": 20, "bytes_read": 2000, "rejected": 1, "published": True},
    ]


@pytest.mark.parametrize("address", ["", "\0nobody-listens"])
def test_a_meter_does_not_mind_being_alone(address: str) -> None:
    meter = ShardMeter(address, ShardProgress("train", 0, 1, 1, 1))
    meter.count(1, rejected=False)
    meter.publish(resumed=False)


def test_a_meter_does_not_wait_for_a_listener_that_does_not_read() -> None:
    address = f"\0test-deaf-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        for index in range(2000):  # more than the system keeps
            ShardMeter(address, ShardProgress("train", index, 1, 1, 1))


HEARD = {
    (shard.split, shard.index): shard
    for shard in (
        ShardProgress("train", 0, 4, 100, 402, 100, 5000, 2, published=True),
        ShardProgress("train", 2, 4, 101, 402, 50, 2600),
        ShardProgress("train", 1, 4, 100, 402, 100, 0, published=True, resumed=True),
        ShardProgress("test", 0, 1, 7, 7, 7, 70, published=True),
    )
}
SPLITS = [
    SplitProgress("test", 7, 7, 7, 70, 1, 1, 0),
    # One shard was not heard of; the others say how many members there are.
    SplitProgress("train", 250, 402, 150, 7600, 2, 4, 2),
]


def test_what_is_heard_of_shards_adds_up_to_splits() -> None:
    assert add_up(HEARD) == SPLITS
    assert add_up({}) == []


def test_a_pace_is_that_of_the_last_seconds() -> None:
    pace = Pace()
    assert pace.rates() == (0, 0)
    pace.add(100.0, 50, 1000)
    assert pace.rates() == (0, 0)
    pace.add(105.0, 100, 3000)
    assert pace.rates() == (10, 400)
    for second in range(106, 131):
        pace.add(float(second), 100 + (second - 105) * 2, 3000 + (second - 105) * 10)
    assert pace.rates() == (2, 10)


def test_progress_in_words() -> None:
    pace = Pace()
    assert in_words([], pace) == "reading headers"
    pace.add(0.0, 0, 0)
    pace.add(2.0, 3000, 500_000_000)
    assert in_words(SPLITS, pace) == (
        "test 7/7 images, 1/1 shards; train 250/402 images, 2/4 shards; "
        "1,500 images/s, 250 MB/s, 0:00 left, 2 rejected"
    )
    assert in_words(SPLITS[:1], pace).endswith("250 MB/s, writing documents")


def watch(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows the progress of a build of two shards."""
    monkeypatch.setenv("IMAGENET_PROGRESS_SECONDS", "0")
    drawn = threading.Event()
    draw = progress.add_up

    def add_up_and_say(shards: dict[tuple[str, int], ShardProgress]) -> object:
        # A shard is heard of when it is begun, too.
        if [shard.published for shard in shards.values()] == [True, True]:
            drawn.set()
        return draw(shards)

    monkeypatch.setattr(progress, "add_up", add_up_and_say)
    with progress.shown_progress(console) as address:
        for index in range(2):
            meter = ShardMeter(address, ShardProgress("train", index, 2, 1, 2))
            meter.count(1000, rejected=False)
            meter.publish(resumed=False)
        assert drawn.wait(120)


def test_lines_are_printed_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.StringIO()
    watch(Console(file=out, soft_wrap=True), monkeypatch)
    assert "train 2/2 images, 2/2 shards; " in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_bars_are_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    watch(console, monkeypatch)
    assert "2/2 images, 2/2 shards" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")  # and taken away again


def test_the_end_of_work_is_seen_at_once() -> None:
    ended = threading.Event()

    def work() -> None:
        with progress.shown_progress(Console(file=io.StringIO()), every=3600):
            pass
        ended.set()

    threading.Thread(target=work, daemon=True).start()
    assert ended.wait(120)


def test_what_a_cluster_published_is_counted() -> None:
    counts = iter(["none", "none", "1 of 2", "2 of 2"])
    done = threading.Event()

    def count() -> str:
        try:
            return next(counts)
        except StopIteration:
            done.set()
            return "2 of 2"

    out = io.StringIO()
    with progress.counted_progress(Console(file=out), count, every=0.001):
        assert done.wait(120)
    assert out.getvalue() == "none\n1 of 2\n2 of 2\n"


def test_the_first_shard_tells_the_totals_of_its_split() -> None:
    first = ShardProgress("train", 5, 8, 100, 803, 16)
    (split,) = add_up({("train", 5): first})
    assert (split.done, split.wanted, split.shards) == (16, 803, 8)


def test_a_verification_knows_its_totals_before_it_begins() -> None:
    files = [
        ShardFile(
            uri=f"/data/{path}",
            path=path,
            config="demo",
            format=name,
            split=split,
            index=index,
            examples=examples,
            size=None,
            digest=None,
            images=ImagePolicy(),
        )
        for path, name, split, index, examples in (
            ("a-0", "tfrecord", "train", 0, 3),
            ("a-1", "tfrecord", "train", 1, 4),
            ("b-0", "parquet", "train", 0, 7),
        )
    ]
    assert unread_files(files) == {
        "a-0": ShardProgress("train as tfrecord", 0, 2, 3, 7),
        "a-1": ShardProgress("train as tfrecord", 1, 2, 4, 7),
        "b-0": ShardProgress("train as parquet", 0, 1, 7, 7),
    }
    assert unread_files(files[2:]) == {"b-0": ShardProgress("train", 0, 1, 7, 7)}
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    begun = unread_files(files).values()
    with progress.shown_progress(console, VERIFYING, begun):
        pass
    shown = re.sub(r"\x1b\[[\d;?]*\w", "", out.getvalue())
    assert re.search("train as tfrecord +━+ +0/7 images, 0/2 files", shown)


def test_a_build_announces_its_splits_before_its_shards() -> None:
    spec = ShardSpec("train", 0, 3, (), SHARD_SCHEMA.empty_table(), split_members=9)
    address = "\0test-announce"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        output = cast(ShardOutput, None)
        announced = BuildShards(output, address)._announce(spec)
        BuildShards(output, address)._announce(replace(spec, index=1))
        told = json.loads(listener.recv(4096))
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.recv(4096)
    assert announced == spec
    assert (told["split"], told["count"], told["split_wanted"]) == ("train", 3, 9)
