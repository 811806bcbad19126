"""The part of Dataflow's job API that a submission uses, on a loopback port.

The real service takes a job, starts machines that run its staged pipeline, and answers
questions about it meanwhile. This one hands each job to a function of the test's, which
may well run the pipeline, and answers alike. Paths and fields are those of
https://cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.locations.jobs.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

Json = dict[str, Any]

RUNNING: Final = "JOB_STATE_RUNNING"
DONE: Final = "JOB_STATE_DONE"
FAILED: Final = "JOB_STATE_FAILED"
CANCELLED: Final = "JOB_STATE_CANCELLED"

JOB_ID: Final = "2026-01-02_03_04_05-6789"
_CREATED: Final = "2026-01-02T03:04:05.678901Z"

# Projects and regions are not checked: the test asserts on them.
_PATH: Final = re.compile(
    r"/v1b3/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/jobs"
    r"(?:/(?P<job>[^/]+)(?:/(?P<what>messages|metrics))?)?"
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended.

    Attributes:
        state: Its last state.
        errors: What the service says of it, as error messages.
        counters: User counters by namespace and name.
    """

    state: str = DONE
    errors: Sequence[str] = ()
    counters: Mapping[tuple[str, str], int] | None = None


class JobService:
    """One job: what was posted, and what became of it.

    Attributes:
        posted: The job as it was submitted, with ``projectId`` and ``location`` set
            from the request's path; None before.
        answers: Whether questions are answered; else they are forbidden.
    """

    def __init__(self, run: Callable[[Json], Ending]) -> None:
        """Makes a service whose job is done, or not, by a function.

        Args:
            run: Is given the posted job, in a thread of its own.
        """
        self.posted: Json | None = None
        self.answers = True
        self._run = run
        self._ending: Ending | None = None

    def submit(self, job: Json) -> Json:
        """Takes a job and starts it."""
        assert self.posted is None, "a second job was submitted"
        self.posted = job
        answer = self.describe()  # which says that it runs, however soon it ends
        threading.Thread(target=self._work, args=(job,), daemon=True).start()
        return answer

    def _work(self, job: Json) -> None:
        ending = Ending(FAILED, ["What runs the job is broken."])
        try:
            ending = self._run(job)
        finally:  # nobody may wait for ever
            self._ending = ending

    def describe(self) -> Json:
        """Returns the job resource."""
        assert self.posted is not None, "no job was submitted"
        return {
            "id": JOB_ID,
            "projectId": self.posted["projectId"],
            "name": self.posted["name"],
            "location": self.posted["location"],
            "currentState": self._ending.state if self._ending else RUNNING,
            "createTime": _CREATED,
            "clientRequestId": self.posted["clientRequestId"],
        }

    def messages(self) -> Json:
        """Returns the job's messages."""
        ending = self._ending or Ending()
        return {
            "jobMessages": [
                {
                    "id": str(number),
                    "time": _CREATED,
                    "messageText": text,
                    "messageImportance": "JOB_MESSAGE_ERROR",
                }
                for number, text in enumerate(ending.errors)
            ]
        }

    def metrics(self) -> Json:
        """Returns the job's user counters, each tentative and committed."""
        ending = self._ending or Ending()
        return {
            "metricTime": _CREATED,
            "metrics": [
                {
                    "name": {
                        "origin": "user",
                        "name": name,
                        "context": {"namespace": namespace, **attempt},
                    },
                    "scalar": value,
                }
                for (namespace, name), value in (ending.counters or {}).items()
                for attempt in ({}, {"tentative": "true"})
            ],
        }

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serves on a free port; yields the URL, which names the host ``localhost``."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler_of(service: JobService) -> type[BaseHTTPRequestHandler]:
    answers = {
        None: service.describe,
        "messages": service.messages,
        "metrics": service.metrics,
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = _PATH.fullmatch(urlsplit(self.path).path)
            if not found or found["job"] != JOB_ID:
                return self.send_error(404)
            if not service.answers:
                return self.send_error(403)
            return self._answer(answers[found["what"]]())

        def do_POST(self) -> None:
            found = _PATH.fullmatch(urlsplit(self.path).path)
            if not found or found["job"]:
                return self.send_error(404)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            job = json.loads(body) | {
                "projectId": found["project"],
                "location": found["region"],
            }
            return self._answer(service.submit(job))

        def _answer(self, document: Json) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
