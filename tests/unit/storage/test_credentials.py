from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ray_qa.errors import StorageError
from ray_qa.storage import credentials
from ray_qa.storage.credentials import NAMED_IN_ENVIRONMENT, Access, is_anonymous, s3_credentials, use_access
from ray_qa.storage.remote import Remote
from ray_qa.storage.stores import forget_stores, store_of

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


@pytest.fixture
def _credentials_for_all_again() -> Iterator[None]:
    yield
    use_access(Access())


@pytest.mark.usefixtures("_credentials_for_all_again")
def test_nobodys_name_is_for_all_buckets_but_that_of_the_output() -> None:
    assert not is_anonymous("s3", "corpus")
    use_access(Access(anonymous=True, output=Remote(scheme="s3", bucket="ours", key="out")))
    assert is_anonymous("s3", "corpus")
    assert is_anonymous("gs", "ours")
    assert not is_anonymous("s3", "ours")
    use_access(Access(anonymous=True, output=Path("out")))
    assert is_anonymous("s3", "ours")


@pytest.mark.usefixtures("_credentials_for_all_again")
@pytest.mark.parametrize("scheme", ["s3", "gs", "az", "abfs"])
def test_every_kind_of_store_is_opened_in_nobodys_name_and_in_ours_after_that(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "secret", "AZURE_STORAGE_ACCOUNT_NAME": "someone",
        "AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0", "GOOGLE_BEARER_TOKEN": "secret",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    use_access(Access(anonymous=True))
    assert _options(store_of(scheme, "bucket")).get("skip_signature") == "true"
    use_access(Access())
    assert _options(store_of(scheme, "bucket")).get("skip_signature", "false") == "false"
    forget_stores()


def _options(store: Any) -> dict[str, Any]:
    return dict(store.config)
