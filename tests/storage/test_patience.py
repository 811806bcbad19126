"""How long remote storage is waited for."""

import pytest

from transforms.errors import StorageError
from transforms.storage.remote.patience import Patience, patience


@pytest.mark.parametrize(
    ("seconds", "connect", "silent", "retries"),
    # With 12 retries Amazon's library pauses 0.025 * (2**12 - 1) = 102.4 s in all.
    [(120.0, 10.0, 30.0, 12), (4.0, 1 / 3, 1.0, 7), (0.01, 0.01 / 12, 0.0025, 0)],
)
def test_all_times_are_in_proportion(
    seconds: float, connect: float, silent: float, retries: int
) -> None:
    found = Patience(seconds)
    assert (found.connect, found.silent, found.retries) == (connect, silent, retries)


@pytest.mark.parametrize(("said", "seconds"), [("", 120), ("2.5", 2.5), ("600", 600)])
def test_seconds_are_those_of_the_environment(
    said: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGENET_STORAGE_SECONDS", said)
    assert patience.__wrapped__() == Patience(seconds)


@pytest.mark.parametrize("said", ["soon", "0", "-1", "inf", "nan"])
def test_what_is_no_time_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGENET_STORAGE_SECONDS", said)
    with pytest.raises(StorageError) as caught:
        patience.__wrapped__()
    assert str(caught.value) == (
        f"IMAGENET_STORAGE_SECONDS is {said!r}. It must be a number of seconds above "
        "0, such as 120, or unset."
    )
