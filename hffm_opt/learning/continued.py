"""What a run takes over from the run before it, and leaves for the one after: states, data, and averages on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hffm_opt.learning.baselines.centralised import DataOf
from hffm_opt.learning.data import FederatedData, federated_data
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.payload import State
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.rounds import RoundEngine, RoundResult
from hffm_opt.learning.tasks.form import InputForm
from hffm_opt.plan.circulation import Tier
from hffm_opt.scenario.model import CLOUD, Scenario

if TYPE_CHECKING:
    from hffm_opt.learning.prepare import Prepared

Watch = Callable[["Prepared", int, StackedStates, RoundResult], None]


@dataclass(eq=False)
class Continued:
    """The link between two runs; one without arguments leaves a run as it is.

    ``start`` are the states to begin with, ``phase`` how many runs came before. The run leaves its ``modules``, its
    last states ``left``, and in ``averages``, which outlives runs, the last average of each module at every edge server
    and the cloud, by (node, module). ``watch`` is told of every round what training and the averages have left.
    """

    data_of: DataOf | None = None
    start: StackedStates | None = None
    phase: int = 0
    averages: dict[tuple[str, str], State] = field(default_factory=dict)
    watch: Watch | None = None
    left: StackedStates | None = None
    modules: dict[str, Module] = field(default_factory=dict)

    def note(
        self, run: Prepared, engine: RoundEngine, number: int, trained: StackedStates, result: RoundResult
    ) -> None:
        """Keep the averages of a round: a cell's at its edge server, the cloud's there and where they passed."""
        kind = engine.kind(number)
        for m, circulated in enumerate(engine.plan.circulation):
            module, tier = circulated.module, circulated.tier_in_kind(kind)
            rows = set(result.averaged.get(module, ()))
            for part in engine.cells(number):
                members = part.cell.members
                mine = sorted(rows & set(members[engine.problem.owners[members, m]].tolist()))
                if not mine or tier not in (Tier.EDGE, Tier.CLOUD):
                    continue
                average = result.states.of_device(mine[0], module)
                if tier == Tier.EDGE or not part.direct:
                    self.averages[part.cell.edge.name, module] = average
                if tier == Tier.CLOUD:
                    self.averages[CLOUD, module] = average
        if self.watch is not None:
            self.watch(run, number, trained, result)

    def leave(self, run: Prepared, states: StackedStates) -> None:
        """Keep what the next run takes over."""
        self.left, self.modules = states, dict(run.engine.modules)


def data_before(final: Scenario) -> DataOf:
    """Return what loads the data of a scenario in which some devices do not hold yet what they hold in the end.

    Every sample is drawn as in the end, so that granting a request changes no other device's data.
    """

    def load(scenario: Scenario, seed: int, form: InputForm | None = None) -> FederatedData:
        whole = federated_data(final, seed, form)

        def held(task: str, u: int) -> bool:
            return scenario.devices[u].samples.get(task, 0) > 0

        nothing = np.zeros(0, dtype=np.int64)
        return FederatedData(
            {
                name: replace(
                    data, shares=tuple(share if held(name, u) else nothing for u, share in enumerate(data.shares))
                )
                for name, data in whole.tasks.items()
            }
        )

    return load
