"""Metrics as TensorBoard's event files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray_qa.finetuning.tracking.metrics_log import EVALUATED, Metrics, figures_of, kind_of


@dataclass(slots=True, kw_only=True)
class TensorBoard:
    """Event files in a folder. They are written anew from the log each time the command is run."""

    make_writer: Callable[..., Any]
    folder: Path
    name: str = "TensorBoard's files"
    writer: Any = None

    @classmethod
    def open(cls, folder: Path) -> TensorBoard:
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
        earlier = len(list(self.folder.glob("events.out.tfevents.*")))
        self.writer = self.make_writer(
            logdir=str(self.folder),
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
        """Write lines; they reach the disk within seconds."""
        for line in lines:
            for name, value in figures_of(line):
                tag = name.replace("eval_", "eval/") if kind_of(line) == EVALUATED else f"train/{name}"
                self.writer.add_scalar(tag, value, int(line["step"]), walltime=line["time"])

    def end(self, *, complete: bool) -> None:  # noqa: ARG002  # event files have no such mark
        """Close the file."""
        self.writer.close()
