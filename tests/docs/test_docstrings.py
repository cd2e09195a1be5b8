"""The examples in docstrings run."""

import doctest
import warnings
from importlib import import_module

import pytest
from documents import ROOT

PACKAGE = ROOT / "hffm_opt"
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
