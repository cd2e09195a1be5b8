"""Whether a phase can meet a deadline at all, and what stands in the way if not."""

from __future__ import annotations

import numpy as np

from hffm_opt.errors import InfeasibleError
from hffm_opt.solvers.formulations import allocation_link as link
from hffm_opt.solvers.formulations.allocation_batch import BatchResult, solve_batch
from hffm_opt.solvers.formulations.allocation_phase import PhaseBatch, PhaseProblem


def fastest_plan(phase: PhaseProblem) -> BatchResult:
    """Return the plan of least latency (a batch of one) with its bound: full power, highest frequencies, best bands."""
    return solve_batch(PhaseBatch.stack([phase]), weight_energy=0.0, weight_time=1.0)


def require_deadline(phase: PhaseProblem, deadline_s: float) -> None:
    """Raise when no allocation ends by the deadline.

    First every path is held alone against the deadline, with whole pools and highest frequency; then all together
    against the proven bound on the least latency.

    Raises:
        InfeasibleError: names the path and the arc that stand in the way, and a deadline that can be met.
    """
    fastest = fastest_plan(phase)
    if float(fastest.lower_bound[0]) <= deadline_s:
        return
    possible = float(fastest.time_s[0])
    pools = phase.of_pool(phase.pool_bandwidth_hz)
    alone = link.shortest_duration_s(phase.load_bit, pools, phase.power_max_w, phase.gain_to_noise_hz_per_w)
    computing = np.where(phase.computes, phase.cycles / np.where(phase.computes, phase.cpu_max_hz, 1.0), 0.0)
    single = computing + phase.path_arc @ alone
    path = int(single.argmax())
    if single[path] > deadline_s:
        on_air = phase.path_arc[path] * alone
        cause = f"path {path} alone, with its whole bands, takes {single[path]:.6g} s"
    else:
        path = int(fastest.multipliers.path[0].argmax())
        on_air = phase.path_arc[path] * fastest.decisions.duration_s[0]
        cause = f"the paths that share the bands take {possible:.6g} s at least, path {path} foremost"
    if on_air.any() and on_air.max() >= computing[path]:
        slowest = f"arc {int(on_air.argmax())} ({on_air.max():.6g} s on the air)"
    else:
        slowest = f"its computation ({computing[path]:.6g} s at the highest frequency)"
    raise InfeasibleError.one(
        f"phase.path_arc[{path}]",
        f"cannot meet the deadline of {deadline_s:.6g} s: {cause}, most of it in {slowest}",
        f"allow {possible * (1 + 1e-6):.9g} s or more, or give it bandwidth, power or CPU frequency",
    )
