"""Whom gs:// and s3:// are read for, decided without asking the network."""

from pathlib import Path

import google.auth
import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError

from transforms.errors import StorageError
from transforms.storage.remote import gcs, s3


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Takes all credentials away, and the ways to more."""
    for name in (
        *("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("GCE_METADATA_HOST", "GCE_METADATA_IP", "K_SERVICE", "CLOUDSDK_CONFIG"),
        *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"),
        *(
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    gcs._credentials.cache_clear()


def test_nobody_is_asked_where_there_are_no_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ask(**_: object) -> None:
        raise AssertionError("Google's library was asked")

    monkeypatch.setattr(google.auth, "default", ask)
    assert isinstance(gcs._credentials(), AnonymousCredentials)


def test_an_emulator_needs_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/none")
    assert isinstance(gcs._credentials(), AnonymousCredentials)


def test_credentials_that_are_named_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    login = tmp_path / ".config" / "gcloud" / "application_default_credentials.json"
    login.parent.mkdir(parents=True)
    login.write_text(
        '{"type": "authorized_user", "client_id": "i", "client_secret": "s", '
        '"refresh_token": "r", "quota_project_id": "p"}'
    )
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    assert type(gcs._credentials()).__module__ == "google.oauth2.credentials"


def test_credentials_that_can_not_be_had_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/none.json")
    with pytest.raises(StorageError) as caught:
        gcs._credentials()
    assert str(caught.value).startswith(
        "Google's credentials cannot be read. File /none.json was not found."
    )
    assert isinstance(caught.value.__cause__, DefaultCredentialsError)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_PROFILE", "work"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2"),
    ],
)
def test_s3_is_anonymous_where_nothing_names_credentials(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not s3.has_credentials()
    monkeypatch.setenv(name, value)
    assert s3.has_credentials()


def test_s3_finds_a_file_of_credentials(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    assert not s3.has_credentials()
    (tmp_path / ".aws" / "credentials").write_text("[default]\n")
    assert s3.has_credentials()
