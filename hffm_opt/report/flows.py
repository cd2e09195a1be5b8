"""Which transmissions a plan makes in one kind of round, with their loads: what the network map draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hffm_opt.plan.circulation import Tier, tiers, top_kind
from hffm_opt.plan.costs import tree_cost
from hffm_opt.plan.model import Arc, Plan
from hffm_opt.plan.rounds import owners_at, round_trees
from hffm_opt.plan.trees import IndexedTree
from hffm_opt.problem.model import Bools, Cell, Problem
from hffm_opt.scenario.model import CLOUD

FlowEvent = Literal["gather", "scatter", "uplink", "downlink", "direct-up", "direct-down"]


@dataclass(frozen=True)
class Flow:
    """One transmission: from node to node, as part of which event, over which band, with how many bits and joules.

    ``by_module`` are the bits of each module that is in it.
    """

    event: FlowEvent
    source: str
    target: str
    band: str
    bits: float
    seconds: float
    joules: float
    arc: Arc
    by_module: tuple[tuple[str, float], ...]

    @property
    def upward(self) -> bool:
        """Whether it carries statistics towards an average (and not a result back)."""
        return self.event in ("gather", "uplink", "direct-up")


@dataclass(frozen=True)
class KindFlows:
    """What the cells do in kinds of round that are alike: the kinds, and per cell its flows and its head."""

    kinds: tuple[int, ...]
    tier_of_module: dict[str, Tier]
    cells: tuple[tuple[Flow, ...], ...]
    heads: tuple[str | None, ...]

    @property
    def meets(self) -> bool:
        """Whether the cloud averages in these rounds."""
        return Tier.CLOUD in self.tier_of_module.values()


def kind_flows(problem: Problem, plan: Plan) -> tuple[KindFlows, ...]:
    """Return the flows of every kind of round; kinds in which all cells do the same are one entry."""
    merged: dict[tuple[object, ...], KindFlows] = {}
    for kind in range(top_kind(plan.circulation) + 1):
        level = tiers(plan.circulation, kind)
        cells, heads = [], []
        for i, (cell, cell_plan) in enumerate(zip(problem.cells, plan.cells, strict=True)):
            trees = round_trees(problem, cell, cell_plan.rounds[kind], level, f"cells[{i}].rounds[{kind}]")
            at_head = owners_at(problem, cell, level, Tier.D2D)
            above = owners_at(problem, cell, level, Tier.EDGE, Tier.CLOUD)
            cells.append(
                (
                    *_flows(problem, cell, trees.gather, at_head, "gather"),
                    *_flows(problem, cell, trees.scatter, at_head, "scatter"),
                    *_flows(problem, cell, trees.uplink, above, "direct-up" if trees.direct else "uplink"),
                    *_flows(problem, cell, trees.downlink, above, "direct-down" if trees.direct else "downlink"),
                )
            )
            heads.append(None if trees.head is None else cell.names[trees.head])
        tier_of_module = {c.module: Tier(int(t)) for c, t in zip(plan.circulation, level, strict=True)}
        key = (tuple(level), tuple(cells), tuple(heads))
        before = merged[key].kinds if key in merged else ()
        merged[key] = KindFlows((*before, kind), tier_of_module, tuple(cells), tuple(heads))
    return tuple(merged.values())


def _flows(problem: Problem, cell: Cell, tree: IndexedTree | None, owners: Bools, event: FlowEvent) -> tuple[Flow, ...]:
    if tree is None:
        return ()
    names = (*cell.names, cell.edge.name, CLOUD)
    outward = event in ("scatter", "downlink", "direct-down")
    cost = tree_cost(problem, cell, tree, owners, np.zeros(cell.size), outward)
    return tuple(
        Flow(
            event,
            names[t.source],
            names[t.target],
            t.band,
            t.bits,
            t.seconds,
            t.joules,
            tree.arc[t.target if outward else t.source],
            tuple(
                (module, copies * float(bits))
                for module, copies, bits in zip(problem.modules, t.copies, problem.payload_bit, strict=True)
                if copies > 0
            ),
        )
        for t in cost.transfers
    )
