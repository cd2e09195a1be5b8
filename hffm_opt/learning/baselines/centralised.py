"""Centralised training: one model on the data of all devices, the upper bound of what averaging can reach.

The samples are exactly those that the devices would hold under the same seed, so that a run and its bound differ in
nothing else. A round walks over all of them ``learning.local_passes`` times in batches of ``learning.batch_size``: as
many samples, and so as many FLOPs, as a round of all devices together; one model takes all of the steps, where in the
federated run each device takes its share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hffm_opt.learning.data import FederatedData, federated_data
from hffm_opt.learning.tasks.form import InputForm
from hffm_opt.scenario.model import Scenario

DataOf = Callable[[Scenario, int, InputForm | None], FederatedData]


def pooled_data(data: FederatedData) -> FederatedData:
    """Return the data with all devices' samples of each task in the hands of one."""
    order = np.argsort(data.streams)
    return FederatedData(
        {
            name: replace(task, shares=(np.concatenate([task.shares[u] for u in order]),))
            for name, task in data.tasks.items()
        }
    )


def pooled_from(scenario: Scenario) -> DataOf:
    """Return what loads the data of a federated scenario for the one device of its centralised counterpart."""

    def load(_: Scenario, seed: int, form: InputForm | None) -> FederatedData:
        return pooled_data(federated_data(scenario, seed, form))

    return load
