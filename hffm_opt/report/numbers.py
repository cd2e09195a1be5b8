"""Numbers for people: few digits, thousands parted by thin spaces that do not break, real minus signs."""

from __future__ import annotations

import math

from hffm_opt.units import BITS_PER_BYTE

_THIN, _MINUS = "\u202f", "\u2212"
_EXACT = 1e-9  # what the ledger and the referee agree to under the plan's own conditions


def number(value: float, digits: int = 4) -> str:
    """Return a number with that many significant digits, whole parts never cut.

    >>> number(12345.678), number(0.0123456), number(-2.0)
    ('12\u202f346', '0.01235', '\u22122')
    """
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    size = math.floor(math.log10(abs(value)))
    if not -4 <= size < 9:
        text = f"{value:.{digits - 1}e}"
        mantissa, exponent = text.split("e")
        return f"{_signed(mantissa)}{_THIN}×{_THIN}10^{_signed(str(int(exponent)))}"
    text = f"{value:,.{max(0, digits - 1 - size)}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return _signed(text.replace(",", _THIN))


def _signed(text: str) -> str:
    return text.replace("-", _MINUS)


def percent(share: float, decimals: int = 1) -> str:
    """Return a share as a percentage.

    >>> percent(0.4567)
    '45.7\u202f%'
    """
    return f"{_signed(f'{100 * share:.{decimals}f}')}{_THIN}%"


def gap(share: float | None) -> str:
    """Return a relative gap as a percentage with two significant digits, never rounded down to nothing.

    >>> gap(None), gap(0.0), gap(7.56e-6), gap(0.31)
    ('—', '0\u202f%', '0.00076\u202f%', '31\u202f%')
    """
    if share is None:
        return "—"
    if abs(share) < 1e-14:
        return f"0{_THIN}%"
    return f"{number(100 * share, 2)}{_THIN}%"


def difference(share: float) -> str:
    """Return a relative difference between measured and predicted.

    >>> difference(3e-16), difference(0.0312)
    ('below 1e\u22129', '+3.1\u202f%')
    """
    if abs(share) < _EXACT:
        return f"below 1e{_MINUS}9"
    return f"{'+' if share > 0 else ''}{gap(share)}"


def change(value: float, reference: float) -> str:
    """Return in words how much less or more a value is than a reference.

    >>> change(3.0, 4.0), change(4.0, 4.0), change(10.0, 4.0)
    ('25.0\u202f% less', 'the same', '2.5 times as much')
    """
    if math.isclose(value, reference, rel_tol=5e-4):
        return "the same"
    if reference <= 0 or value >= 2 * reference:
        return "more" if reference <= 0 else f"{number(value / reference, 3)} times as much"
    share = value / reference - 1
    return f"{percent(abs(share))} {'less' if share < 0 else 'more'}"


def seconds(value: float) -> str:
    """Return a duration with its unit."""
    return f"{number(value)}{_THIN}s"


def joules(value: float) -> str:
    """Return an energy with its unit."""
    return f"{number(value)}{_THIN}J"


def scaled(value: float, unit: str) -> str:
    """Return a quantity for a headline, small ones in thousandths or millionths of the unit.

    >>> scaled(0.006404, "s"), scaled(0.0000512, "J"), scaled(4.823, "s")
    ('6.404\u202fms', '51.2\u202fµJ', '4.823\u202fs')
    """
    factor, prefix = (1.0, "") if not 0 < abs(value) < 0.1 else (1e3, "m") if abs(value) >= 1e-4 else (1e6, "µ")
    return f"{number(value * factor)}{_THIN}{prefix}{unit}"


def megabytes(bits: float) -> str:
    """Return an amount of data in MB (10^6 bytes).

    >>> megabytes(48e6)
    '6\u202fMB'
    """
    return f"{number(bits / BITS_PER_BYTE / 1e6)}{_THIN}MB"
