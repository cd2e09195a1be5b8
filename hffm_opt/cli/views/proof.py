"""What a bound proves, in one sentence for all kinds of plans."""

from __future__ import annotations

from rich.text import Text

from hffm_opt.cli.figures import SMALL_RISE, figure, percent


def proof_of(objective: float, bound: float, gap: float | None) -> Text:
    """Return what a lower bound proves about a plan of this objective.

    >>> print(proof_of(5.0, 4.9, 0.02))
    Proven: no plan costs less than 4.90000; this one costs 5.00000, at most 2.000 % more.
    >>> print(proof_of(5.0, 5.0, 0.0))
    Proven: no plan costs less than 5.00000; this one costs 5.00000, the least possible.
    """
    closed = gap is None or gap < SMALL_RISE
    above = "the least possible" if closed else f"at most {percent(gap, 3)} more".replace("most <", "most ")
    costs = f"no plan costs less than {figure(bound, 6)}; this one costs {figure(objective, 6)}, {above}."
    return Text.assemble(("Proven: ", "bold green"), costs)
