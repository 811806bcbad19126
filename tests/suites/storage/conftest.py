"""The servers, once a session, and places in them, once a test."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock
from uuid import uuid4

import pytest

from tests.suites.storage import servers
from transforms.storage.remote import arrow as arrow_fs
from transforms.storage.remote import gcs
from transforms.storage.remote.patience import patience


@contextmanager
def reached_at(scheme: str, address: str) -> Iterator[str]:
    """Makes a scheme's URIs lead to a server; gives the URI of a new directory there.

    The clients of this process are made again, as they hold on to where they lead.
    """
    forget_clients()
    with mock.patch.dict(os.environ, servers.variables(scheme, address)):
        yield f"{scheme}://{servers.BUCKET}/{uuid4().hex}"
    forget_clients()


def forget_clients() -> None:
    for made in (
        *(gcs._client, gcs._credentials, gcs._require_bucket, gcs._tries),
        *(arrow_fs._filesystem, arrow_fs._require_s3_bucket, patience),
    ):
        made.cache_clear()


@pytest.fixture(scope="session")
def google() -> Iterator[str]:
    with servers.google(servers.free_port()) as address:
        yield address


@pytest.fixture(scope="session")
def amazon() -> Iterator[str]:
    with servers.amazon(servers.free_port()) as address:
        yield address
