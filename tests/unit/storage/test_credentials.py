from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.errors import StorageError
from ray_qa.storage import credentials
from ray_qa.storage.credentials import NAMED_IN_ENVIRONMENT, s3_credentials

ANONYMOUS = {"skip_signature": True}


@pytest.fixture(autouse=True)
def _a_machine_that_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*NAMED_IN_ENVIRONMENT, "AWS_PROFILE", "AWS_SKIP_SIGNATURE", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr(credentials, "INSTANCE", "http://127.0.0.1:9/latest/api/token")


@pytest.mark.parametrize("name", NAMED_IN_ENVIRONMENT)
def test_what_the_environment_names_is_for_the_store_itself_to_find(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "something")
    assert s3_credentials() == {}


def test_public_buckets_are_read_in_nobodys_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert s3_credentials() == ANONYMOUS
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert s3_credentials() == ANONYMOUS
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "something")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert s3_credentials() == ANONYMOUS


def test_a_profile_without_what_reads_it_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "find_spec", lambda _: None)
    told = r"^`AWS_PROFILE` must be read by boto3, but that is not installed: "
    monkeypatch.setenv("AWS_PROFILE", "work")
    with pytest.raises(StorageError, match=told):
        s3_credentials()
    monkeypatch.delenv("AWS_PROFILE")
    (tmp_path / "credentials").touch()
    with pytest.raises(StorageError, match=told):
        s3_credentials()
