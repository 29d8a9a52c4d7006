from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.errors import ConfigError
from ray_qa.storage.remote import Remote, place_of

KEYS = st.text(st.characters(exclude_characters="/\\?#", exclude_categories=("C", "Z")), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://bucket/a/b", Remote(scheme="s3", bucket="bucket", key="a/b")),
        ("s3a://bucket/a/", Remote(scheme="s3", bucket="bucket", key="a")),
        ("S3://bucket", Remote(scheme="s3", bucket="bucket", key="")),
        ("gs://bucket/a b/größe", Remote(scheme="gs", bucket="bucket", key="a b/größe")),
        ("abfss://container@account.dfs.core.windows.net/a", Remote(
            scheme="abfs", bucket="container@account.dfs.core.windows.net", key="a"
        )),
        ("hdfs://me@namenode:8020/a", Remote(scheme="hdfs", bucket="me@namenode:8020", key="a")),
        ("hdfs:///a/b", Remote(scheme="hdfs", bucket="", key="a/b")),
        ("file:///tmp/a b", Path("/tmp/a b")),
        ("some/folder", Path("some/folder")),
        ("C:stream", Path("C:stream")),
    ],
)  # fmt: skip
def test_paths_and_urls_name_places(text: str, place: Path | Remote) -> None:
    assert place_of(text, "input") == place


def test_the_home_folder_is_found() -> None:
    assert place_of("~/a", "input") == Path.home() / "a"


@pytest.mark.parametrize("text", ["hdfs://namenode:8020/a/b", "hdfs:///a", "viewfs://cluster/a"])
def test_a_file_systems_url_reads_back(text: str) -> None:
    assert str(place_of(text, "input")) == text


@given(st.lists(KEYS, min_size=1))
def test_a_place_reads_back_from_what_it_is_written_as(names: list[str]) -> None:
    place = Remote(scheme="s3", bucket="bucket", key="")
    for name in names:
        place = place / name
    assert place_of(str(place), "input") == place
    assert place.name == names[-1]
    assert place.parent / place.name == place


SCHEMES = "`output` must be a path, or a URL of s3://, gs://, az://, abfs://, but is ftp://host/a"
SECRETS = "`output` must be without credentials, which belong in the environment, but has some"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ftp://host/a", SCHEMES),
        ("ftp://me:hidden@host/a?token=hidden", SCHEMES),
        ("s3://key:hidden@bucket/a", SECRETS),
        ("s3:///a", "`output` must name a bucket, but is s3:///a"),
        (
            "hdfs://namenode/a",
            f"{SCHEMES.rpartition(', but')[0]}, as hdfs:// is for reading rows only, but is hdfs://namenode/a",
        ),
    ],
)
def test_other_urls_are_refused_in_a_line_that_shows_no_secret(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        place_of(text, "output")
    assert str(refused.value) == told


@pytest.mark.parametrize("text", ["s3:/bucket/a", "s3//bucket/a", "s3:bucket/a", "gs//bucket/a"])
def test_a_url_that_lacks_a_character_is_not_taken_for_a_path(text: str) -> None:
    scheme = text[:2]
    with pytest.raises(ConfigError) as caught:
        place_of(text, "output")
    assert caught.value.problems == (
        f"`output` must be a path or a URL, but is {text}; did you mean {scheme}://bucket/a?",
    )


@pytest.mark.parametrize("text", ["s3", "s3/bucket", "s3data:/x", "data/s3:/x", "/s3//bucket", "azure/x"])
def test_a_path_that_looks_a_little_like_a_url_is_a_path(text: str) -> None:
    assert place_of(text, "output") == Path(text)
