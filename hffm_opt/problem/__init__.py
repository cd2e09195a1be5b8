"""A scenario compiled to arrays: ownership, gains, work, budgets."""

from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Cell, Problem

__all__ = ["Cell", "Problem", "build_problem"]
