"""Errors carry findings and an exit code."""

import pytest

from hffm_opt.errors import Finding, HffmError, InfeasibleError, InputError, LimitReachedError

FINDING = Finding("devices[0].edge", "no edge is named 'edge-O'", "did you mean 'edge-0'?")


def test_a_finding_reads_as_place_fault_repair():
    assert str(FINDING) == "devices[0].edge: no edge is named 'edge-O' -- did you mean 'edge-0'?"


@pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (InfeasibleError, 3), (LimitReachedError, 4)])
def test_exit_codes(kind, code):
    error = kind.one("a", "b", "c")
    assert type(error) is kind
    assert isinstance(error, HffmError)
    assert error.exit_code == code
    assert error.findings == (Finding("a", "b", "c"),)


def test_several_findings_make_several_lines():
    other = Finding("name", "too long", "shorten it")
    error = InputError(f for f in (FINDING, other))
    assert error.findings == (FINDING, other)
    assert str(error).splitlines() == [str(FINDING), str(other)]


def test_findings_are_values_in_the_order_of_their_places():
    assert Finding("a", "m", "r") == Finding("a", "m", "r")
    assert sorted([FINDING, Finding("a", "m", "r")])[0].path == "a"
