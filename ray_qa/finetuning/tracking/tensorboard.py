"""Metrics as TensorBoard's event files."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray_qa.finetuning.tracking.metrics_log import EVALUATED, Metrics, figures_of, kind_of
from ray_qa.storage.objects import upload
from ray_qa.storage.places import names_in
from ray_qa.storage.remote import Place, Remote

EVENTS = re.compile(r"events\.out\.tfevents\.")
BUCKET_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class TensorBoard:
    """Event files in a folder. They are written anew from the log each time the command is run."""

    make_writer: Callable[..., Any]
    folder: Place
    name: str = "TensorBoard's files"
    writer: Any = None
    here: Path | None = None
    """Where they are written: the folder itself, or one of this machine, for those of a bucket."""
    _sent: float = 0.0

    @classmethod
    def open(cls, folder: Place) -> TensorBoard:
        """Find the package.

        Raises:
            ImportError: if it is not there.
        """
        from tensorboardX import SummaryWriter

        return cls(make_writer=SummaryWriter, folder=folder)

    def begin(self) -> Mapping[str, float]:
        """Begin a file; what earlier ones hold is forgotten."""
        if self.writer is not None:
            self.writer.close()
        if self.here is None:
            self.here = self.folder if isinstance(self.folder, Path) else Path(tempfile.mkdtemp(prefix="ray_qa-"))
        earlier = sum(EVENTS.match(name) is not None for name in names_in(self.folder))
        self.writer = self.make_writer(
            logdir=str(self.here),
            # TensorBoard then forgets all that earlier files hold; it reads files in the order of their names, which
            # begin with the second.
            purge_step=0 if earlier else None,
            filename_suffix=f".{earlier:04d}",
            # Its queue blocks for ever when it is full and the thread that empties it has died of a full disk.
            max_queue=1_000_000,
            flush_secs=2,
        )
        return {}

    def send(self, lines: Sequence[Metrics]) -> None:
        """Write lines; they reach the disk within seconds, and a bucket within a minute."""
        for line in lines:
            for name, value in figures_of(line):
                tag = name.replace("eval_", "eval/") if kind_of(line) == EVALUATED else f"train/{name}"
                self.writer.add_scalar(tag, value, int(line["step"]), walltime=line["time"])
        if time.monotonic() - self._sent > BUCKET_SECONDS:
            self.writer.flush()
            self._send_files()

    def end(self, *, complete: bool) -> None:  # noqa: ARG002  # event files have no such mark
        """Close the file."""
        self.writer.close()
        try:
            self._send_files()
        finally:
            if self.here is not None and self.here != self.folder:
                shutil.rmtree(self.here, ignore_errors=True)

    def _send_files(self) -> None:
        if isinstance(self.folder, Remote) and self.here is not None:
            for path in self.here.iterdir():
                upload(self.folder / path.name, path)
        self._sent = time.monotonic()
