"""The bucket that the tests of this suite share."""

from collections.abc import Iterator

import pytest

from tests.suites.dataflow.cloud import Bucket, serving_bucket


@pytest.fixture(scope="session")
def bucket() -> Iterator[Bucket]:
    """A bucket with nothing in it."""
    with serving_bucket() as found:
        yield found
