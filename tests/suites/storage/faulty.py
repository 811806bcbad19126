"""A proxy before a storage server that is slow, fails now and then, and counts.

    python faulty.py --upstream URL --port PORT --rate 0.1 --seed 1 --latency 0.03

Of the requests, a share chosen by a seeded generator is answered with 429 or 503, cut
off, stalled, or has its answer's body cut short; or what --faults says. ``GET
/-/counts`` tells, as JSON, how many requests there were by method, how many bytes of
bodies went each way, how many faults there were by kind, and how many requests were
there at once at most. ``GET /-/stop`` ends it.
"""

import argparse
import asyncio
import json
import os
import random
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

FAULTS: Final = ("429", "503", "close", "stall", "short")
_PIECE: Final = 1 << 16  # bytes


@dataclass(slots=True)
class Counts:
    """What passed so far."""

    requests: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    bytes_down: int = 0
    bytes_up: int = 0
    now: int = 0
    most_at_once: int = 0

    def to_json(self) -> bytes:
        return json.dumps(
            {
                "requests": self.requests,
                "faults": self.faults,
                "bytes_down": self.bytes_down,
                "bytes_up": self.bytes_up,
                "most_at_once": self.most_at_once,
            }
        ).encode()


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a request or an answer."""

    first: str
    fields: dict[str, str]  # by name in small letters
    data: bytes

    @property
    def method(self) -> str:
        return self.first.split(" ")[0]

    def with_length(self, length: int) -> bytes:
        """Returns it with another length of the body."""
        lines = self.data[:-4].split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith(b"content-")]
        return b"\r\n".join((*kept, b"Content-Length: %d" % length, b"", b""))

    def closing(self) -> bytes:
        """Returns it with the wish that the connection ends with the answer."""
        lines = self.data[:-4].split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith(b"connection:")]
        return b"\r\n".join((*kept, b"Connection: close", b"", b""))


class Proxy:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.counts = Counts()
        self.random = random.Random(options.seed)
        upstream = urllib.parse.urlsplit(options.upstream)
        self.upstream = (upstream.hostname, upstream.port)

    async def serve(
        self, client: asyncio.StreamReader, out: asyncio.StreamWriter
    ) -> None:
        """Passes the requests of a connection on, each by a connection of its own."""
        try:
            while (request := await read_head(client)) is not None:
                body = await read_body(client, request, out)
                if request.first.split(" ")[1] == "/-/counts":
                    answer(out, 200, self.counts.to_json())
                    continue
                if request.first.split(" ")[1] == "/-/stop":
                    os._exit(0)
                self.counts.requests[request.method] += 1
                self.counts.bytes_up += len(body)
                self.counts.now += 1
                self.counts.most_at_once = max(
                    self.counts.most_at_once, self.counts.now
                )
                try:
                    if not await self.one(request, body, out):
                        break
                finally:
                    self.counts.now -= 1
                await out.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            out.close()

    async def one(self, request: Head, body: bytes, out: asyncio.StreamWriter) -> bool:
        """Answers a request; returns whether the connection goes on."""
        await asyncio.sleep(self.options.latency)
        fault = self.fault(request)
        if fault is not None:
            self.counts.faults[fault] += 1
        match fault:
            case str() if fault.isdecimal():
                answer(out, int(fault), b"")
                return True
            case "close":
                return False
            case "stall":
                await asyncio.sleep(self.options.stall)
                return False
        source, upstream = await asyncio.open_connection(*self.upstream)
        try:
            upstream.write(request.closing() + body)
            head = await read_head(source)
            if head is None:
                return False
            size = content_length(head, request)
            if fault in ("short", "clip") and size:
                start = head.data
                if fault == "clip":  # half of it, as if that were all
                    start = head.with_length(size // 2)
                out.write(start + await source.readexactly(size // 2))
                await out.drain()
                return False
            out.write(head.data)
            if size is None:  # its own end marks tell, or that of the connection
                while data := await source.read(_PIECE):
                    self.counts.bytes_down += len(data)
                    out.write(data)
                    await out.drain()
                return False
            self.counts.bytes_down += size
            while size:
                data = await source.readexactly(min(size, _PIECE))
                size -= len(data)
                out.write(data)
                await out.drain()
            return True
        finally:
            upstream.close()

    def fault(self, request: Head) -> str | None:
        if self.random.random() >= self.options.rate:
            return None
        fault: str = self.random.choice(self.options.faults)
        # What changes something was done when its answer is cut short. The servers
        # here do not know a second attempt from a second wish, as the real ones do.
        return "close" if fault == "short" and request.method != "GET" else fault


def answer(out: asyncio.StreamWriter, status: int, body: bytes) -> None:
    head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n\r\n"
    out.write(head.encode() + body)


async def read_head(source: asyncio.StreamReader) -> Head | None:
    try:
        data = await source.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = data.decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Head(first, {n.strip().lower(): v.strip() for n, _, v in pairs}, data)


async def read_body(
    client: asyncio.StreamReader, request: Head, out: asyncio.StreamWriter
) -> bytes:
    if "100-continue" in request.fields.get("expect", ""):
        out.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" not in request.fields.get("transfer-encoding", ""):
        return await client.readexactly(int(request.fields.get("content-length", 0)))
    pieces = []
    while True:
        line = await client.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        data = await client.readexactly(size + 2)
        pieces += [line, data]
        if not size:
            return b"".join(pieces)


def content_length(head: Head, request: Head) -> int | None:
    """Returns the length of an answer's body; None where the end of it tells."""
    status = int(head.first.split(" ")[1])
    if request.method == "HEAD" or status in (204, 304):
        return 0
    length = head.fields.get("content-length")
    return None if length is None else int(length)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upstream", required=True, metavar="URL")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0, help="share of faults")
    parser.add_argument("--faults", type=lambda text: text.split(","), default=FAULTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0, help="seconds")
    parser.add_argument("--stall", type=float, default=2, help="seconds")
    proxy = Proxy(parser.parse_args())
    server = await asyncio.start_server(
        proxy.serve, "127.0.0.1", proxy.options.port, limit=1 << 20, backlog=512
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
