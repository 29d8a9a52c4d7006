from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.data.file_search import FoundFiles, find_files
from ray_qa.errors import ConfigError, InputError


def write(path: Path) -> Path:
    """A file that need not hold anything to be found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def find(*paths: Path | str) -> FoundFiles:
    return find_files([str(path) for path in paths], "input")


def names(found: FoundFiles, root: Path) -> list[str]:
    return [str(Path(path).relative_to(root)) for path in found.paths]


def refusal(*paths: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        find(*paths)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


def test_files_folders_and_globs_come_in_the_order_given_and_by_name_within(tmp_path: Path) -> None:
    for name in ("z.parquet", "folder/b.parquet", "folder/a/deep.parquet", "folder/c.txt", "g1.pq", "g2.pq"):
        write(tmp_path / name)
    found = find(tmp_path / "z.parquet", tmp_path / "folder", tmp_path / "g?.pq")
    wanted = ["z.parquet", "folder/a/deep.parquet", "folder/b.parquet", "g1.pq", "g2.pq"]
    assert names(found, tmp_path) == wanted


def test_hidden_and_underscored_names_in_folders_are_passed_over(tmp_path: Path) -> None:
    for name in (".ray_qa/x.parquet", ".hidden.parquet", "_draft.parquet", "in/_no/x.parquet", "in/yes.parquet"):
        write(tmp_path / "corpus" / name)
    assert find(tmp_path / "corpus").paths == [str(tmp_path / "corpus/in/yes.parquet")]


def test_a_folder_whose_own_path_is_hidden_is_read(tmp_path: Path) -> None:
    write(tmp_path / ".cache/_corpus/a.parquet")
    assert len(find(tmp_path / ".cache/_corpus").paths) == 1


def test_paths_become_absolute_so_that_workers_find_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find("a.parquet").paths == find("~/a.parquet").paths == [str(tmp_path / "a.parquet")]


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(tmp_path: Path) -> None:
    path = write(tmp_path / "a[1].parquet")
    assert find(path).paths == [str(path)]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("nowhere.parquet", "nothing"),
        ("*.parquet", "nothing"),
        ("empty", "no Parquet file, only to {beside}"),
    ],
)
def test_a_pattern_that_leads_nowhere_is_named(tmp_path: Path, pattern: str, found: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/readme.txt").touch()
    found = found.format(beside=tmp_path / "empty/readme.txt")
    wanted = f"`input` must lead to Parquet files (*.parquet, *.pq), but {tmp_path / pattern} leads to {found}"
    assert refusal(tmp_path / pattern) == wanted


def test_a_folder_of_save_to_disk_is_called_that(tmp_path: Path) -> None:
    for name in ("state.json", "dataset_info.json", "data-00000-of-00001.arrow"):
        write(tmp_path / name)
    assert refusal(tmp_path).endswith("is a data set that `save_to_disk` wrote: write it with its `to_parquet`")


def test_a_file_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    assert refusal(path, tmp_path) == f"`input` must name every file once, but names {path} twice"


def test_urls_are_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"^`input` must be a path, or a URL of .*, but is http://host/a.parquet$"):
        find_files(["http://host/a.parquet"], "input")


def test_parquet_files_count_by_either_suffix_in_any_case_and_others_are_named(tmp_path: Path) -> None:
    for name in ("a.PARQUET", "b.Pq", "c.parquet", "d.pq", "e.csv", "notes/f.txt", "_SUCCESS", ".crc"):
        write(tmp_path / name)
    found = find(tmp_path)
    assert names(found, tmp_path) == ["a.PARQUET", "b.Pq", "c.parquet", "d.pq"]
    assert found.passed_over == (str(tmp_path / "e.csv"), str(tmp_path / "notes/f.txt"))


def test_links_to_folders_and_files_elsewhere_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/deep/a.parquet")
    write(tmp_path / "blobs/0f3e")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "corpus/b.parquet").symlink_to(tmp_path / "blobs/0f3e")
    assert names(find(tmp_path / "corpus"), tmp_path) == ["blobs/0f3e", "elsewhere/deep/a.parquet"]


def test_links_that_lead_in_circles_or_to_what_is_read_anyway_are_named_and_not_followed(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    write(corpus / "2024/a.parquet")
    write(tmp_path / "elsewhere/b.parquet")
    links = {
        "again.parquet": corpus / "2024/a.parquet",
        "current": corpus / "2024",
        "2024/up": tmp_path,
        "2024/self": corpus / "2024/self",
        "x": tmp_path / "elsewhere",
        "y": tmp_path / "elsewhere",
        "z": tmp_path / "gone",
    }
    for name, target in links.items():
        (corpus / name).symlink_to(target)
    (tmp_path / "elsewhere/back").symlink_to(corpus)
    found = find(corpus)
    assert names(found, tmp_path) == ["corpus/2024/a.parquet", "elsewhere/b.parquet"]
    anyway = ("2024/self", "2024/up", "again.parquet", "current", "x/back", "y")
    assert found.passed_over == (
        *(f"{corpus / name} (a link to what is read anyway)" for name in anyway),
        f"{corpus / 'z'} (a link to nothing)",
    )


def test_a_folder_that_cannot_be_listed_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    line = refusal(tmp_path)
    assert line == f"`input` must be readable, but {tmp_path} gives: [Errno 13] Permission denied: '{tmp_path}'"


def test_the_columns_that_folders_state_are_those_below_the_folder_that_is_named(tmp_path: Path) -> None:
    write(tmp_path / "k=v/year=2023/lang=d%20e/a.parquet")
    write(tmp_path / "k=v/year=__HIVE_DEFAULT_PARTITION__/b.parquet")
    stated = [file.partitions for file in find(tmp_path / "k=v").files]
    assert stated == [(("year", "2023"), ("lang", "d e")), (("year", None),)]
    assert find(tmp_path / "k=v/year=2023").files[0].partitions == (("lang", "d e"),)
    assert find(tmp_path / "k=v/year=2023/lang=d%20e/a.parquet").files[0].partitions == ()


def test_the_columns_that_a_glob_states_begin_at_its_first_wildcard(tmp_path: Path) -> None:
    write(tmp_path / "k=v/year=2023/lang=de/a.parquet")
    for pattern in ("k=v/*/lang=de/*.parquet", "k=v/year=2*/**/*.parquet"):
        (file,) = find(tmp_path / pattern).files
        assert file.partitions == (("year", "2023"), ("lang", "de"))


def test_a_glob_may_match_folders_which_are_then_read(tmp_path: Path) -> None:
    for name in ("year=2023/lang=de/a.parquet", "year=2024/b.pq", "other/c.parquet"):
        write(tmp_path / name)
    found = find(tmp_path / "year=*")
    assert names(found, tmp_path) == ["year=2023/lang=de/a.parquet", "year=2024/b.pq"]
    assert found.files[0].partitions == (("year", "2023"), ("lang", "de"))
    assert names(find(tmp_path / "year=*/"), tmp_path) == names(found, tmp_path)


def test_folders_that_a_glob_matches_beside_files_are_named_unless_their_files_are_matched_too(tmp_path: Path) -> None:
    for name in ("a.parquet", "sub/b.parquet"):
        write(tmp_path / name)
    found = find(tmp_path / "*")
    assert names(found, tmp_path) == ["a.parquet"]
    assert found.passed_over == (f"{tmp_path / 'sub'} (a folder beside files)",)
    assert find(tmp_path / "**").passed_over == ()
    assert names(find(tmp_path / "**"), tmp_path) == ["a.parquet", "sub/b.parquet"]
