from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from ray_qa.cli import main as cli
from ray_qa.cli.commands import COMMANDS


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("completion") / "ray-qa"
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lines.append)
        assert cli.main(["--completion", "bash"]) == 0
    file.write_text("\n".join(lines))
    return file


def completed(script: Path, typed: str, folder: Path) -> list[str]:
    """What a bash that was given the script offers for a line; a space at its end begins a new word."""
    words = [*shlex.split(typed), *([""] if typed.endswith(" ") else [])]
    code = (
        f"source {script}; complete -p ray-qa >/dev/null || exit 9; COMP_WORDS=({' '.join(map(shlex.quote, words))}); "
        f"COMP_CWORD={len(words) - 1}; _tyro_ray_qa; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    return done.stdout.split()


def test_bash_completes_commands_flags_values_and_files(script: Path, tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("there is no bash here")
    (tmp_path / "corpus.parquet").touch()
    assert set(COMMANDS) <= set(completed(script, "ray-qa ", tmp_path))
    assert completed(script, "ray-qa anno", tmp_path) == ["annotate"]
    assert completed(script, "ray-qa annotate --null", tmp_path) == ["--null-threshold"]
    assert completed(script, "ray-qa annotate --retry", tmp_path) == ["--retry-failed"]
    assert completed(script, "ray-qa finetune --learn", tmp_path) == ["--learning-rate"]
    assert set(completed(script, "ray-qa annotate --backend ", tmp_path)) == {"auto", "torch", "openvino"}
    assert completed(script, "ray-qa annotate --input co", tmp_path) == ["corpus.parquet"]
    assert completed(script, "ray-qa evaluate --gold co", tmp_path) == ["corpus.parquet"]
    assert completed(script, "ray-qa ask --js", tmp_path) == ["--json"]


@pytest.mark.parametrize(
    ("shell", "registers"), [("zsh", "#compdef ray-qa\n"), ("fish", "complete --no-files --command 'ray-qa' ")]
)
def test_other_shells_get_a_script_of_their_own(shell: str, registers: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--completion", shell]) == 0
    shown = capsys.readouterr().out
    assert registers in shown
    assert all(command in shown for command in COMMANDS)
    assert "--null-threshold" in shown
