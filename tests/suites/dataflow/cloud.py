"""What stands in for Google Cloud: a bucket, a job service, and a worker.

The bucket is gcp-storage-emulator's, in a process of its own. The command under test
runs in a process of its own too, as a user would start it, and so does each worker.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.helpers.archives import Outcome
from tests.suites.dataflow.server import FAILED, Ending, JobService, Json

ROOT: Final = Path(__file__).parents[3]
EMULATOR: Final = ROOT / ".venv-dataflow" / "bin" / "python"

BUCKET: Final = "bucket"
TEMP: Final = "tmp"  # where jobs stage their files
PROJECT: Final = "a-project"
REGION: Final = "europe-west4"
IMAGE: Final = "europe-docker.pkg.dev/a-project/images/imagenet2012-subset:1"

# No part of the environment may travel with a job.
SECRET: Final = {"HF_TOKEN": "hf_do-not-stage-this"}


@dataclass(frozen=True)
class Bucket:
    """A bucket on this machine.

    Attributes:
        url: Where its server listens.
        client: A client of the server.
    """

    url: str
    client: storage.Client

    def read(self, prefix: str) -> dict[str, bytes]:
        """Returns every object beneath a prefix, by the rest of its name."""
        return {
            blob.name.removeprefix(prefix).removeprefix("/"): blob.download_as_bytes()
            for blob in self.client.list_blobs(BUCKET, prefix=f"{prefix}/")
        }

    def write(self, prefix: str, directory: Path) -> str:
        """Copies a directory's files beneath a prefix; returns its URI."""
        bucket = self.client.bucket(BUCKET)
        for path in directory.iterdir():
            bucket.blob(f"{prefix}/{path.name}").upload_from_filename(path)
        return f"gs://{BUCKET}/{prefix}"


@contextmanager
def serving_bucket() -> Iterator[Bucket]:
    """Starts an empty bucket; stops its server when done."""
    assert EMULATOR.exists(), "make .venv-dataflow/ready installs the emulator"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ("--in-memory", "--quiet", "--default-bucket", BUCKET)
    where = ("--host", "127.0.0.1", "--port", str(port))
    server = subprocess.Popen(
        [EMULATOR, "-m", "gcp_storage_emulator", "start", *where, *flags]
    )
    try:
        while not _listens(port):
            assert server.poll() is None, "the emulator did not start"
            time.sleep(0.1)
        url = f"http://localhost:{port}"
        yield Bucket(
            url,
            storage.Client(
                project=PROJECT,
                credentials=AnonymousCredentials(),
                client_options={"api_endpoint": url},
            ),
        )
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(
    bucket: Bucket,
    endpoint: str,
    *flags: object,
    program: Sequence[str] = ("-m", "beam_pipeline.run"),
) -> subprocess.Popen[str]:
    """Starts the command that submits a job, without credentials."""
    where = (
        *(f"--project={PROJECT}", f"--region={REGION}"),
        *(f"--dataflow_endpoint={endpoint}", "--no_auth"),
        f"--temp_location=gs://{BUCKET}/{TEMP}",
    )
    return subprocess.Popen(
        [sys.executable, *program, *map(str, flags), *where],
        cwd=ROOT,
        env=environment(bucket) | SECRET,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell has what it runs in the background ignore Ctrl-C, tests included.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def environment(bucket: Bucket) -> dict[str, str]:
    """Returns the variables by which a process finds the bucket and this code."""
    return os.environ | {
        "STORAGE_EMULATOR_HOST": bucket.url,
        "PYTHONPATH": str(ROOT),
    }


def finish(command: subprocess.Popen[str]) -> Outcome:
    """Returns what a command gave back once it has ended."""
    out, err = command.communicate()
    return Outcome(command.returncode, out, err)


def submit(
    bucket: Bucket, service: JobService, *flags: object, program: Sequence[str] = ()
) -> Outcome:
    """Runs the command against a service, from its start to its end."""
    with service.serving() as endpoint:
        wanted = {"program": program} if program else {}
        return finish(start(bucket, endpoint, *flags, **wanted))


def staged(bucket: Bucket, job: Json) -> dict[str, bytes]:
    """Returns the files that came with a job, by name."""
    options = job["environment"]["sdkPipelineOptions"]["options"]
    return bucket.read(options["staging_location"].removeprefix(f"gs://{BUCKET}/"))


@dataclass(frozen=True)
class Worker:
    """Runs a job's staged pipeline in a process that knows nothing else of it.

    Attributes:
        bucket: Where the pipeline is staged.
        directory: Where the worker may write.
        python_path: Where it finds the project.
    """

    bucket: Bucket
    directory: Path
    python_path: Path = ROOT

    def __call__(self, job: Json) -> Ending:
        """Runs a job; what goes wrong is told as the service tells it."""
        pipeline = self.directory / "pipeline.pb"
        pipeline.write_bytes(staged(self.bucket, job)["pipeline.pb"])
        done = subprocess.run(
            [sys.executable, ROOT / "tests/suites/dataflow/execute.py", pipeline],
            cwd=self.directory,
            env=environment(self.bucket) | {"PYTHONPATH": str(self.python_path)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            return Ending(FAILED, errors=[done.stderr])
        counters = {(place, name): n for place, name, n in json.loads(done.stdout)}
        return Ending(counters=counters)
