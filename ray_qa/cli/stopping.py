"""Ending on Ctrl-C and SIGTERM: in one line and with nothing left running, whenever the signal comes and how often."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from ray_qa.runs.log import wants_json

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = "\x1b[?25h"


def run_stoppable(work: Callable[[], int], farewell: Callable[[], str]) -> int:
    """Do the work and give its exit code; where a signal stops it, write the farewell and give 128 + its number.

    While Ray runs, a signal comes as an exception, so that all that was started is ended too. Otherwise there is
    nothing to end, and the process ends on the spot: an exception may be lost in the middle of an import, or come out
    of it as another. So it does at a second signal; a private cluster ends by itself when its driver has gone.
    In a log the farewell comes first: Ray's job server kills what has not ended three seconds after its SIGTERM.
    """
    stops: list[int] = []
    told = False

    def stop(number: int, _: object) -> None:
        nonlocal told
        on_terminal = os.isatty(2)
        leaves = bool(stops) or not _ray_runs()
        if not told and (leaves or not on_terminal):
            told = True
            # A live line may be on the terminal, with the cursor at its end and hidden.
            before = f"{_SHOW_CURSOR}\n" if on_terminal and not wants_json() else ""
            os.write(2, f"{before}{farewell()}\n".encode())
        if leaves:
            os._exit(128 + number)
        stops.append(number)
        raise KeyboardInterrupt

    before = _handle(stop)
    try:
        return work()
    except BaseException as end:
        if not stops and not isinstance(end, KeyboardInterrupt):
            raise
        _handle(signal.SIG_IGN)  # for good: Python itself has yet to end, where an exception would show
        if not told:
            print(farewell(), file=sys.stderr, flush=True)
        return 128 + (stops[0] if stops else signal.SIGINT)
    finally:
        if not stops:
            for number, handler in before.items():
                signal.signal(number, handler)


def _handle(handler: Any) -> dict[int, Any]:
    """Set the handler of the signals; gives those there were, none where only another thread could set them."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in _SIGNALS}


def _ray_runs() -> bool:
    is_initialized = getattr(sys.modules.get("ray"), "is_initialized", None)
    return is_initialized is not None and is_initialized()
