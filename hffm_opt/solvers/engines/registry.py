"""Which optimisation engines are installed, found without importing them.

HiGHS and Clarabel belong to the installation; the others are offered where their Python module or program is found.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from hffm_opt.errors import InputError


@dataclass(frozen=True)
class Engine:
    """An engine: what it solves, and where it may be found.

    ``modules`` are importable names and ``programs`` executables, any of which will do, each with the name under which
    Pyomo knows that way (``None``: Pyomo has no part in it). ``options`` are Pyomo's words for the relative gap and the
    time limit in s.
    """

    name: str
    solves: str
    modules: dict[str, str | None]
    programs: dict[str, str | None]
    options: tuple[str, str] | None = None
    conic: bool = False


@dataclass(frozen=True)
class Installed:
    """An engine and where it was found: the module or program, its version if known, and Pyomo's name for it."""

    engine: Engine
    found: str | None
    version: str | None
    pyomo: str | None


LINEAR = "linear and mixed-integer programs"
ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("highs", LINEAR, {"highspy": "appsi_highs"}, {}, ("mip_rel_gap", "time_limit")),
        Engine("clarabel", "convex cone programs", {"clarabel": None}, {}, conic=True),
        Engine(
            "scip",
            "mixed-integer programs",
            {"pyscipopt": "scip_direct"},
            {"scip": "scip"},
            ("limits/gap", "limits/time"),
        ),
        Engine(
            "gurobi",
            "mixed-integer and second-order cone programs",
            {"gurobipy": "gurobi_direct"},
            {"gurobi_cl": "gurobi"},
            ("MIPGap", "TimeLimit"),
        ),
        Engine(
            "mosek",
            "mixed-integer and convex cone programs",
            {"mosek": "mosek_direct"},
            {},
            ("MSK_DPAR_MIO_TOL_REL_GAP", "MSK_DPAR_OPTIMIZER_MAX_TIME"),
            conic=True,
        ),
        Engine("cbc", LINEAR, {}, {"cbc": "cbc"}, ("ratioGap", "seconds")),
        Engine("glpk", LINEAR, {}, {"glpsol": "glpk"}, ("mipgap", "tmlim")),
    )
}


def installed() -> tuple[Installed, ...]:
    """Return every known engine with where it was found, if anywhere.

    >>> [item.engine.name for item in installed() if item.found][:2]
    ['highs', 'clarabel']
    """
    return tuple(_look(engine) for engine in ENGINES.values())


def _look(engine: Engine) -> Installed:
    for module, pyomo in engine.modules.items():
        if find_spec(module) is not None:
            return Installed(engine, module, _version(module), pyomo)
    for program, pyomo in engine.programs.items():
        if shutil.which(program) is not None:
            return Installed(engine, program, None, pyomo)
    return Installed(engine, None, None, None)


def _version(module: str) -> str | None:
    try:
        return version(module)
    except PackageNotFoundError:
        return None


def engine_for_models(name: str) -> Installed:
    """Return an installed engine that solves Pyomo models.

    Raises:
        InputError: it is unknown, not installed, or solves no such models; says which do.
    """
    usable = {item.engine.name: item for item in installed() if item.pyomo is not None}
    if name in usable:
        return usable[name]
    choice = f"use one of: {', '.join(usable)}"
    if name not in ENGINES:
        raise InputError.one("--engine", f"no engine is named '{name}'", choice)
    engine = ENGINES[name]
    ways = [*engine.modules, *engine.programs]
    if not any({**engine.modules, **engine.programs}.values()):
        raise InputError.one("--engine", f"'{name}' solves {engine.solves}, not these models", choice)
    raise InputError.one("--engine", f"'{name}' is not installed (looked for: {', '.join(ways)})", choice)
