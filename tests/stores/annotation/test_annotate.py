"""``ray-qa annotate`` where everything lies in a bucket."""

from __future__ import annotations

import io
import os
import secrets
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.data.parts import part_path
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Remote
from tests.cluster import corpora
from tests.cluster.processes import assert_gone, driver, kill_group, wait_until
from tests.hub import MODEL, hub
from tests.stores.proxy import Proxy
from tests.stores.server import PUBLIC, Server

ROWS = 48
SETTINGS = (
    "--dtype", "float32", "--backend", "torch", "--unit-rows", "8", "--replicas", "1", "--max-tokens", "96",
    "--stride", "24", "--max-question-tokens", "24",
)  # fmt: skip


@pytest.fixture(scope="module")
def local_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("in")
    for number in range(2):
        corpora.write(folder / f"{number}.parquet", corpora.plain(ROWS // 2), row_group_size=10)
    return folder


@pytest.fixture(scope="module")
def expected(local_corpus: Path, tiny_reader_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """What comes out where nothing lies in a bucket."""
    output = tmp_path_factory.mktemp("local") / "out"
    done = annotate("--input", str(local_corpus), "--output", str(output), "--model", str(tiny_reader_folder))
    assert done.returncode == 0, done.stderr
    return pq.read_table(output)


@pytest.fixture
def corpus(folder: Remote, local_corpus: Path, tiny_reader_folder: Path) -> Path:
    """A corpus and a model, here and in the bucket."""
    for path in local_corpus.iterdir():
        objects.publish(folder / "in" / path.name, path.read_bytes())
    for path in tiny_reader_folder.iterdir():
        objects.publish(folder / "model" / path.name, path.read_bytes())
    return local_corpus


def annotate(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ray_qa", "annotate", *SETTINGS, *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})


def in_bucket(folder: Remote, *flags: str) -> subprocess.CompletedProcess[str]:
    return annotate("--input", f"{folder}/in", "--output", f"{folder}/out", "--model", f"{folder}/model", *flags)


def parts(output: Remote) -> pa.Table:
    names = [name for name in places.names_in(output) if name.startswith("part-")]
    return pa.concat_tables([pq.read_table(io.BytesIO(objects.read(output / name))) for name in names])


@pytest.mark.slow
@pytest.mark.usefixtures("corpus")
def test_the_output_equals_that_in_a_folder_and_is_gone_on_with_and_told_of_and_started_again(
    server: Server, proxy: Proxy, folder: Remote, expected: pa.Table
) -> None:
    done = in_bucket(folder)
    assert done.returncode == 0, done.stderr
    assert parts(folder / "out") == expected
    ours = str(folder / "out" / ".ray_qa")
    kept = [str(each.place).removeprefix(ours) for each in objects.list_below(folder / "out" / ".ray_qa")]
    assert {path.split("/")[1] for path in kept} == {
        "counts", "engine.json", "owner", "plan.json", "run.json", "timelines",
    }  # fmt: skip

    objects.delete([folder / "out" / "_SUCCESS", part_path(folder / "out", 2), part_path(folder / "out", 3)])
    proxy.read.clear()
    again = in_bucket(folder)
    assert again.returncode == 0, again.stderr
    assert "10 rows in" in again.stdout
    assert [path for path in proxy.read if "/part-" in path] == []  # what is done is known from the counts
    assert parts(folder / "out") == expected

    finished = in_bucket(folder)
    assert "nothing to do" in finished.stdout
    refused = in_bucket(folder, "--null-threshold", "1")
    assert refused.returncode == 2
    assert "`null_threshold` (0.0 there, 1.0 now)" in refused.stderr
    overwritten = in_bucket(folder, "--null-threshold", "1", "--overwrite")
    assert overwritten.returncode == 0, overwritten.stderr
    assert len(parts(folder / "out")) == ROWS

    told = "".join(run.stdout + run.stderr for run in (done, again, finished, refused, overwritten))
    written = b"".join(objects.read(each.place) for each in objects.list_below(folder))
    assert server.secret_key not in told
    assert server.secret_key.encode() not in written


@pytest.mark.slow
@pytest.mark.usefixtures("corpus")
def test_a_store_that_is_busy_and_loses_answers_and_a_driver_that_is_killed_leave_no_trace(
    proxy: Proxy, folder: Remote, expected: pa.Table, tmp_path: Path
) -> None:
    proxy.fail_now_and_then()
    named = ["--input", f"{folder}/in", "--output", f"{folder}/out", "--model", f"{folder}/model"]
    with driver("annotate", [*SETTINGS, *named], tmp_path / "err") as process:
        wait_until(lambda: any(name.startswith("part-") for name in places.names_in(folder / "out")), "a part")
        orphans = kill_group(process)  # its parts are there, and nothing tells of them yet
    assert_gone(orphans)
    assert not places.exists(folder / "out" / "_SUCCESS")

    again = in_bucket(folder)
    assert again.returncode == 0, again.stderr
    assert parts(folder / "out") == expected
    assert proxy.seen.count("PUT") > 7


def test_an_output_that_may_not_be_written_is_refused_by_the_names_of_the_variables(
    folder: Remote, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    refused = annotate("--input", str(corpus), "--output", f"{folder}/out")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert f"{folder}/out must let us list it, but the store refuses" in line
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in line


@pytest.mark.slow
def test_public_buckets_are_read_in_nobodys_name_and_the_output_is_written_in_ours(
    server: Server, folder: Remote, tmp_path: Path, tiny_reader_folder: Path
) -> None:
    corpus = corpora.write(tmp_path / "in.parquet", corpora.plain(ROWS), row_group_size=10)
    for path in (corpus, *tiny_reader_folder.iterdir()):
        with server.owners_files.open_output_stream(f"{PUBLIC}/{folder.key}/{path.name}") as stream:
            stream.write(path.read_bytes())
    public = f"s3://{PUBLIC}/{folder.key}"
    named = ("--input", f"{public}/in.parquet", "--model", public, "--output", f"{folder}/out", "--device", "cpu")

    refused = annotate(*named)
    assert refused.returncode == 2
    assert "but the store refuses" in refused.stderr

    done = annotate(*named, "--anonymous")
    assert done.returncode == 0, done.stderr
    assert parts(folder / "out").num_rows == ROWS

    shut = annotate("--input", f"{folder}/out", "--output", str(tmp_path / "out"), "--anonymous")
    assert shut.returncode == 2
    (line,) = shut.stderr.splitlines()
    assert line.endswith("; leave `anonymous` out, which shows it no credentials")


@pytest.mark.slow
@pytest.mark.usefixtures("corpus")
def test_no_secret_is_written_or_printed_anywhere(
    server: Server, folder: Remote, tiny_reader_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "hf_" + secrets.token_hex(20)
    with TemporaryDirectory(prefix="r") as short, hub(tiny_reader_folder, token) as served:  # sockets want short paths
        own = {"RAY_TMPDIR": short, "RAY_QA_CACHE": f"{short}/cache", **served.environment(Path(short) / "home")}
        for name, value in own.items():
            monkeypatch.setenv(name, value)
        done = annotate("--input", f"{folder}/in", "--output", f"{folder}/out", "--model", MODEL, "--profile")
        assert done.returncode == 0, done.stderr
        written = {str(path): path.read_bytes() for path in Path(short).rglob("*") if path.is_file()}
        written |= {str(each.place): objects.read(each.place) for each in objects.list_below(folder / "out")}
    assert any(path.endswith("raylet.out") for path in written)
    assert any(path.endswith("plan.json") for path in written)
    written |= {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    for secret in (token, server.secret_key):
        assert [path for path, content in written.items() if secret.encode() in content] == []
