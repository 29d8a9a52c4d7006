from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.runs.cards import card_section, is_our_card, one_line, put_card, renew_section, shown_name
from ray_qa.storage import places


def test_a_card_of_ours_is_known_and_replaced(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    assert not is_our_card(card)
    for text in ("# One\n", "# Other\n"):
        assert put_card(card, text)
        assert is_our_card(card)
        assert card.read_text().startswith(text + "<!--")


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])), at=st.integers(0, 200), typed=st.text("ab\n ", min_size=1)
)
def test_a_card_that_was_changed_anywhere_is_a_persons(
    tmp_path_factory: pytest.TempPathFactory, text: str, at: int, typed: str
) -> None:
    card = tmp_path_factory.getbasetemp() / "README.md"
    card.unlink(missing_ok=True)
    assert put_card(card, text)
    assert is_our_card(card)
    content = places.read(card).decode()
    changed = (content[:at] + typed + content[at:]).encode()
    card.write_bytes(changed)
    assert not put_card(card, "new")
    assert card.read_bytes() == changed


@pytest.mark.parametrize("content", [b"", b"# Mine\n", b"\xff\xfe", b"<!-- ray-qa, as it was written: 0 -->\n"])
def test_what_a_person_put_there_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "README.md").write_bytes(content)
    assert not put_card(tmp_path / "README.md", "# Ours\n")
    assert (tmp_path / "README.md").read_bytes() == content


@given(before=st.text("ab <!-\r\n"), after=st.text("ab <!-\r\n"), texts=st.lists(st.text("a|\n"), min_size=2))
def test_a_section_is_renewed_and_all_around_it_stays(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, texts: list[str]
) -> None:
    card = tmp_path_factory.getbasetemp() / "README.md"
    card.write_bytes((before + card_section("x", "") + after).encode())
    for text in texts:
        assert renew_section(card, "x", text)
        assert card.read_bytes() == (before + card_section("x", text) + after).encode()


@pytest.mark.parametrize(
    "content",
    [
        "# Mine\n",
        card_section("y", ""),
        card_section("x", "\nold\n").replace("old", "mine"),
        card_section("x", "old\n").partition("<!-- end")[0],
        "<!-- ray-qa x, as it was written: ",
    ],
)
def test_a_section_that_is_not_there_or_a_persons_is_left_alone(tmp_path: Path, content: str) -> None:
    card = tmp_path / "README.md"
    assert not renew_section(card, "x", "new")
    card.write_text(content)
    assert not renew_section(card, "x", "new")
    assert card.read_text() == content


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("deepset/roberta-base-squad2@v1", "deepset/roberta-base-squad2@v1"),
        ("/home/anna/secret/my-reader/", "my-reader"),
        ("~/models/x", "x"),
        ("./x", "x"),
        ("../a/x", "x"),
        ("s3://bucket/models/x", "x"),
        ("C:\\models\\x", "x"),
    ],
)
def test_where_something_lies_is_not_told(path: str, shown: str) -> None:
    assert shown_name(path) == shown


@given(st.text())
def test_a_text_on_one_line_has_no_other(text: str) -> None:
    assert one_line(text).isprintable()
    assert len(one_line(text)) == len(text)
