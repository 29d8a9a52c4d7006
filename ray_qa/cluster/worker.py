"""What a process that Ray started has to mind before it can work."""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ray_qa.errors import ModelError
from ray_qa.reader.model_files import ModelFiles, find_model


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put an interruption off until the block is done.

    Ray cancels a task by interrupting it. An import that is cut off would leave half a module behind, and so a worker
    that can never import it again, to which Ray would hand the tasks of the next run of this process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interruptions: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: interruptions.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if interruptions:
        raise KeyboardInterrupt


@functools.lru_cache(maxsize=1)
def model_here(model: ModelFiles) -> ModelFiles:
    """The model as this node has it, which must be the one the run was planned with."""
    here = find_model(model.ref)
    if (here.weights_sha256, here.tokenizer_sha256) != (model.weights_sha256, model.tokenizer_sha256):
        raise ModelError(f"`model` must be the same on every node, but {model.ref} on {os.uname().nodename} differs")
    return here
