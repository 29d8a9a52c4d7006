from __future__ import annotations

from pathlib import Path

from ray_qa.data.parts import part_numbers, part_path


def test_names_of_parts_sort_in_input_order(tmp_path: Path) -> None:
    numbers = [0, 9, 10, 99_999, 1_000_000, 9_999_999]
    names = [part_path(tmp_path, number).name for number in numbers]
    assert names == sorted(names)
    assert names[1] == "part-0000009.parquet"


def test_parts_are_known_by_their_names_alone(tmp_path: Path) -> None:
    for name in (part_path(tmp_path, 0).name, part_path(tmp_path, 12_345_678).name):
        (tmp_path / name).touch()
    for name in (".part-0000001.parquet.0.draft", "part-1.parquet", "part-0000002.parquet.bak", "_SUCCESS"):
        (tmp_path / name).touch()
    assert part_numbers(tmp_path) == {0, 12_345_678}
