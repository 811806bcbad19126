"""Leases over storage without conditions: a disk, by way of Arrow."""

import logging
from pathlib import Path

import pytest

from tests.suites.storage.leases import *  # noqa: F403


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    # Commands of other tests leave handlers on streams that are closed since.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    return f"file://{tmp_path}/place"
