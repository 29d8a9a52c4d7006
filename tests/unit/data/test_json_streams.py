from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.data import json_streams
from ray_qa.data.json_streams import items_of

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=6), st.booleans(), st.sampled_from([None, 1]), st.integers(1, 9))
def test_items_are_those_of_the_standard_library_however_little_is_read_at_once(
    items: list[object], ascii_only: bool, indent: int | None, piece: int
) -> None:
    text = json.dumps(items, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:
        return
    found = read_in_pieces(text, None, piece)
    assert found == items
    inside = b'{"version": 12, "data":' + text + b', "more": [1]}'
    assert read_in_pieces(inside, "data", piece) == items


def read_in_pieces(content: bytes, key: str | None, piece: int) -> list[object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_streams, "FIRST_READ", piece)
        items = items_of(io.BytesIO(content), key)
        assert items is not None
        return list(items)


def test_numbers_are_read_to_their_end() -> None:
    assert read_in_pieces(b"[12345, 1.25]", None, 1) == [12345, 1.25]


@pytest.mark.parametrize(
    ("content", "key"),
    [(b"{}", "data"), (b'{"data": {}}', "data"), (b'{"Data": []}', "data"), (b"[]", "data"), (b'{"a": []}', None)],
)
def test_a_document_without_the_list_has_none(content: bytes, key: str | None) -> None:
    assert items_of(io.BytesIO(content), key) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[1, 2", "it ends too early"),
        (b"[1\n 2]", "line 2 has '2' where ']' should be"),
        (b"[1] x", "line 1 has 'x' after its end"),
        (b"[1,\n\n ]", "line 3: Expecting value"),
        (b'["\xff"]', "invalid start byte"),
        (b"[tru]", "Expecting value"),
    ],
)
def test_what_is_no_json_is_said_when_it_is_come_upon(content: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        list(items_of(io.BytesIO(content)) or ())


def test_a_byte_order_mark_is_no_part_of_a_document() -> None:
    assert list(items_of(io.BytesIO(b"\xef\xbb\xbf[1]")) or ()) == [1]


@pytest.mark.parametrize("broken", [b'{"a" 1}', b'{"a": 1,,}', b'"a\nb"', b"nul", b'"\\x"', b'{"a": "b"'])
def test_a_broken_document_is_not_read_to_its_end(broken: bytes) -> None:
    stream = io.BytesIO(b"[1,\n" + broken + b",\n" + b'{"a": 1},\n' * 100_000 + b"2]")
    with pytest.raises(ValueError, match=r"^line [23]"):
        list(items_of(stream) or ())
    assert stream.tell() < 200_000
