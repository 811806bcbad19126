"""The contract over real servers, and over Arrow's own view of a disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.suites.storage.conftest import reached_at
from tests.suites.storage.contract import *  # noqa: F403


@pytest.fixture(params=["gs", "s3", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "file":
        yield f"file://{tmp_path}"
        return
    server = {"gs": "google", "s3": "amazon"}[request.param]
    with reached_at(request.param, request.getfixturevalue(server)) as uri:
        yield uri
