"""The built-in scenarios' prior for how module copies drift apart."""

from __future__ import annotations

import math

from hffm_opt.scenario.model import Module


def independent_devices(modules: tuple[Module, ...], cell_size: int) -> tuple[Module, ...]:
    """Return the modules with the divergences of devices whose data are drawn independently of their cell.

    A unit variance over devices then splits into ``1 - 1/n`` inside cells of n devices and ``1/n`` between them.
    Measured values replace this prior once a run has been made.
    """
    split = {
        "divergence_within": math.sqrt(1 - 1 / cell_size),
        "divergence_between": math.sqrt(1 / cell_size),
    }
    return tuple(m.model_copy(update=split) if m.trainable else m for m in modules)
