"""Changes of a network drawn from a seed."""

from __future__ import annotations

import numpy as np

from hffm_opt.scenario.changes import Change, Fade, Fail, Leave, Slow
from hffm_opt.scenario.model import Scenario
from hffm_opt.seeds import derive


def drawn_changes(scenario: Scenario) -> tuple[Change, ...]:
    """Return the changes that a scenario draws; none where it draws none.

    Every round has a stream of its own, so that a longer horizon changes nothing of the rounds before.
    """
    law = None if scenario.changes is None else scenario.changes.drawn
    if law is None:
        return ()
    names = [device.name for device in scenario.devices]
    able = [device.name for device in scenario.devices if device.d2d]
    kinds = [kind for kind in law.kinds if kind != "fail" or len(able) > 1]
    found: list[Change] = []
    for number in range(1, law.rounds + 1):
        stream = derive(law.seed, "changes", number)
        for _ in range(int(stream.poisson(law.per_round)) if kinds else 0):
            kind = kinds[int(stream.integers(len(kinds)))]
            until = number + int(stream.geometric(1 / law.mean_rounds))
            device = names[int(stream.integers(len(names)))]
            if kind == "fade":
                loss = float(stream.uniform(0.0, law.loss_db))
                found.append(Fade(change="fade", round=number, until=until, source=device, loss_db=loss))
            elif kind == "fail":
                source, target = (able[int(i)] for i in stream.choice(len(able), 2, replace=False))
                found.append(Fail(change="fail", round=number, until=until, source=source, target=target))
            elif kind == "slow":
                factor = float(np.exp(stream.uniform(np.log(law.factor), 0.0)))
                found.append(Slow(change="slow", round=number, until=until, device=device, factor=factor))
            else:
                found.append(Leave(change="leave", round=number, until=until, device=device))
    return tuple(found)
