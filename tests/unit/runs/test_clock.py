from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ray_qa.runs import clock
from ray_qa.runs.clock import COMMANDS, clocked, time_spent


def test_a_command_counts_from_its_call_until_its_end(tmp_path: Path) -> None:
    called = time.time() - 100
    with clocked(tmp_path, called):
        pass
    spent = time_spent(tmp_path)
    assert spent.commands == 1
    assert 100 <= spent.seconds < 105


def test_commands_add_up(tmp_path: Path) -> None:
    for seconds in (10, 20):
        with clocked(tmp_path, time.time() - seconds):
            pass
    spent = time_spent(tmp_path)
    assert spent.commands == 2
    assert 30 <= spent.seconds < 35


def test_a_command_that_is_killed_counts_until_it_was_last_seen(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from ray_qa.runs import clock\n"
        "clock.SEEN_SECONDS = 0.05\n"
        f"with clock.clocked(Path({str(tmp_path)!r}), time.time()):\n"
        "    time.sleep(1)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    spent = time_spent(tmp_path)
    assert spent.commands == 1
    assert 0.5 < spent.seconds < 5


def test_there_is_no_time_where_no_command_was(tmp_path: Path) -> None:
    assert (time_spent(tmp_path).seconds, time_spent(tmp_path).commands) == (0, 0)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"called": "x", "seen": 1}'])
def test_a_note_that_cannot_be_understood_is_passed_over(tmp_path: Path, content: bytes) -> None:
    with clocked(tmp_path, time.time()):
        pass
    (tmp_path / COMMANDS / "1.json").write_bytes(content)
    assert time_spent(tmp_path).commands == 1


def test_a_run_goes_on_where_its_time_cannot_be_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with clocked(tmp_path, time.time()):
        pass
    assert time_spent(tmp_path).commands == 0


def test_a_note_is_json_that_says_when_a_command_was_called_and_last_seen(tmp_path: Path) -> None:
    with clocked(tmp_path, 5.0):
        pass
    (path,) = (tmp_path / COMMANDS).iterdir()
    noted = json.loads(path.read_text())
    assert noted["called"] == 5.0
    assert noted["seen"] == pytest.approx(time.time(), abs=clock.SEEN_SECONDS)
