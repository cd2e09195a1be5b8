"""Scalars for TensorBoard while a run goes on: ``tensorboard --logdir RUN``. Needs the extra ``tensorboard``.

Steps are rounds and wall times the simulated clock in s: the axis "Step" shows a curve by rounds, the axis "Relative"
by simulated time. Tags: ``loss/TASK``, ``accuracy/TASK/PHASE``, ``cost/latency_s`` and ``cost/energy_j`` (both of the
whole run so far).
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hffm_opt.errors import InputError
from hffm_opt.trace.files import BOARD
from hffm_opt.trace.model import AccuracyRecord, RoundRecord, RunHeader

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def check_board(out: str | Path | None) -> None:
    """Refuse what could not be written.

    Raises:
        InputError: TensorBoard is not installed, or no directory is given.
    """
    if find_spec("tensorboard") is None:
        repair = "install it: pip install 'hffm_opt[tensorboard]'"
        raise InputError.one("--tensorboard", "TensorBoard is not installed", repair)
    if out is None:
        raise InputError.one("--tensorboard", "there is no directory to write to", "give -o RUN")


class Board:
    """Writes the scalars of a run to ``RUN/tensorboard``, every round to disk as it is complete.

    Args:
        directory: the run directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory / BOARD
        self._writer: SummaryWriter | None = None
        self._energy_j = 0.0

    def begin(self, header: RunHeader, rounds: Sequence[RoundRecord], accuracy: Sequence[AccuracyRecord]) -> None:
        """Write the rounds that are complete, in place of what is there: rounds that are run again among them."""
        del header
        from torch.utils.tensorboard import SummaryWriter

        shutil.rmtree(self._directory, ignore_errors=True)
        self._writer = SummaryWriter(self._directory)
        found = defaultdict(list)
        for measured in accuracy:
            found[measured.round].append(measured)
        for record in rounds:
            self._add(record, found[record.round])
        self._writer.flush()

    def add(self, record: RoundRecord, accuracy: Sequence[AccuracyRecord]) -> None:
        """Write a round."""
        assert self._writer is not None
        self._add(record, accuracy)
        self._writer.flush()

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, record: RoundRecord, accuracy: Sequence[AccuracyRecord]) -> None:
        self._energy_j += record.energy_j
        for measured in accuracy:
            tag = f"accuracy/{measured.task}/{measured.phase}"
            self._scalar(tag, measured.accuracy, measured.round, measured.clock_s)
        for task, loss in record.loss.items():
            self._scalar(f"loss/{task}", loss, record.round, record.end_s)
        for tag, value in {"cost/latency_s": record.end_s, "cost/energy_j": self._energy_j}.items():
            self._scalar(tag, value, record.round, record.end_s)

    def _scalar(self, tag: str, value: float, number: int, clock_s: float) -> None:
        assert self._writer is not None
        self._writer.add_scalar(tag, value, number, walltime=clock_s)
