from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.asking.context import read_context
from ray_qa.errors import InputError


class StandardInput:
    """Standard input with these bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


@given(st.text(min_size=2).filter(lambda text: len(text.split()) > 1))
def test_a_text_of_several_words_stands_for_itself(text: str) -> None:
    assert read_context(text) == text


@pytest.mark.parametrize("text", ["x" * 5_000, "a\0b", "東京は日本の首都です。", "Yes.", "word"])
def test_texts_that_can_be_no_name_stand_for_themselves(text: str) -> None:
    assert read_context(text) == text


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "two words.txt"
    path.write_bytes("\ufeffZürich\r\nist groß\n".encode())
    assert read_context(str(path)) == "Zürich\r\nist groß\n"


@pytest.mark.parametrize(("suffix", "codec"), [(".gz", "gzip"), (".ZST", "zstd")])
def test_a_compressed_file_is_read_as_what_it_holds(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"text.txt{suffix}"
    with pa.output_stream(str(path), compression=codec) as stream:
        stream.write("Zürich ist groß\n".encode())
    assert read_context(str(path)) == "Zürich ist groß\n"


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray_qa.asking.context.MOST_BYTES", 1_000)
    path = tmp_path / "bomb.gz"
    with pa.output_stream(str(path), compression="gzip") as stream:
        stream.write(b"x" * 100_000)
    with pytest.raises(InputError, match=r"^`context` must be a text of 1,000 bytes at most, but .*bomb"):
        read_context(str(path))


def test_standard_input_is_never_taken_for_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.txt"
    path.write_text("other")
    monkeypatch.setattr("sys.stdin", StandardInput(str(path).encode()))
    assert read_context("-") == str(path)


@pytest.mark.parametrize(
    ("named", "content", "problem"),
    [
        ("{folder}", None, r"must be a text, a file or -, but '.*' is a folder; as a text .* with -"),
        ("{folder}/missing.txt", None, r"must be a text, a file or -, but '.*missing.txt' is no file here; as a text"),
        ("missing.txt", None, r"must be a text, a file or -, but 'missing.txt' is no file here"),
        ("{folder}/file", b"caf\xe9", r"must be text in UTF-8, but .*file gives: 'utf-8' codec can't decode"),
        ("{folder}/file", b" \n", r"must be a text, but .*file has white space alone"),
        ("{folder}/file", b"", r"must be a text, but .*file is empty"),
        ("{folder}/file.gz", b"plain", r"must be a file that can be read, but .*file.gz gives: "),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(
    tmp_path: Path, named: str, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / Path(named).name).write_bytes(content)
    with pytest.raises(InputError, match=f"^`context` {problem}") as caught:
        read_context(named.format(folder=tmp_path))
    assert len(caught.value.problems) == 1
    assert "\n" not in str(caught.value)
