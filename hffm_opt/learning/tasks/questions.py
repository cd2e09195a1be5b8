"""Question families: from a layout to a question and its answer.

Each family has two sets of wordings. The tasks ask in the first; pretraining uses the second, so that the
wording of a task is new to a pretrained backbone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hffm_opt.learning.tasks.layout import COLOURS, SIZES, Layout, Thing

NUMBERS: tuple[str, ...] = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COUNTS = 5  # answers to "how many": zero to four
BLANK = "[MASK]"
_TRIES = 40


@dataclass(frozen=True)
class Subject:
    """The words of a task's things: the general noun and the name of each kind."""

    noun: str
    kinds: tuple[str, ...]


Asked = tuple[dict[str, str], str]

WORDINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "which": (
        ("which {noun} is at the {place} ?", "what {noun} is shown at the {place} ?"),
        ("what is at the {place} ?", f"at the {{place}} is a {BLANK} ."),
    ),
    "count": (
        ("how many {things} are there ?", "how many {things} are shown ?"),
        ("the number of {things} is what ?", f"there are {BLANK} {{things}} ."),
    ),
    "exists": (
        ("is there {a_thing} ?", "is {a_thing} shown ?"),
        ("{a_thing} can be seen , yes or no ?", f"{{a_thing}} can be seen : {BLANK} ."),
    ),
    "extreme": (
        ("which {noun} is the {extreme} ?", "what is the {extreme} {noun} ?"),
        ("name the {extreme} {noun} .", f"the {{extreme}} {{noun}} is a {BLANK} ."),
    ),
    "colour": (
        ("what colour is the {thing} ?", "which colour does the {thing} have ?"),
        ("name the colour of the {thing} .", f"the {{thing}} is {BLANK} ."),
    ),
    "relation": (
        ("which {noun} is {side} the {thing} ?", "what {noun} is shown {side} the {thing} ?"),
        ("name the {noun} {side} the {thing} .", f"{BLANK} is {{side}} the {{thing}} ."),
    ),
}
FAMILIES: tuple[str, ...] = tuple(WORDINGS)


def plural(word: str) -> str:
    """Return the plural of a noun of the vocabulary."""
    return word + ("es" if word.endswith(("s", "x")) else "s")


def with_article(phrase: str) -> str:
    """Return the phrase behind ``a`` or ``an``."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def describe(thing: Thing, subject: Subject, use: str) -> str:
    """Return a noun phrase for ``thing`` of the attributes in ``use`` (letters s, c, k; the noun without k)."""
    words = [SIZES[thing.size]] if "s" in use else []
    words += [COLOURS[thing.colour]] if "c" in use else []
    words.append(subject.kinds[thing.kind] if "k" in use else subject.noun)
    return " ".join(words)


def _key(thing: Thing, use: str) -> tuple[int, ...]:
    values = {"s": thing.size, "c": thing.colour, "k": thing.kind}
    return tuple(values[letter] for letter in use)


def _pick_unique(rng: np.random.Generator, layout: Layout, uses: tuple[str, ...]) -> tuple[Thing, str] | None:
    """Draw a thing and a set of attributes that no other thing of the layout shares with it."""
    pairs = [
        (thing, use)
        for thing in layout
        for use in uses
        if sum(_key(other, use) == _key(thing, use) for other in layout) == 1
    ]
    return pairs[int(rng.integers(len(pairs)))] if pairs else None


def _which(rng: np.random.Generator, layout: Layout, subject: Subject, _goal: float) -> Asked | None:
    thing = layout[int(rng.integers(len(layout)))]
    return {"place": thing.place}, subject.kinds[thing.kind]


def _count(rng: np.random.Generator, layout: Layout, subject: Subject, goal: float) -> Asked | None:
    use = ("", "c", "s", "k")[int(rng.integers(4))]
    sample = Thing(
        int(rng.integers(len(subject.kinds))),
        int(rng.integers(len(COLOURS))),
        int(rng.integers(len(SIZES))),
        0,
        0,
    )
    if rng.random() < 0.5:
        sample = layout[int(rng.integers(len(layout)))]
    number = sum(_key(thing, use) == _key(sample, use) for thing in layout)
    if number != int(goal * COUNTS):
        return None
    *attributes, noun = describe(sample, subject, use).split()
    return {"things": " ".join((*attributes, plural(noun)))}, NUMBERS[number]


def _exists(rng: np.random.Generator, layout: Layout, subject: Subject, goal: float) -> Asked | None:
    use = ("k", "ck", "sk", "sc", "c")[int(rng.integers(5))]
    first, second = (layout[int(rng.integers(len(layout)))] for _ in range(2))
    wanted = int(goal * 2) == 1
    # A false description mixes attributes that the picture does show, or changes one of them.
    kind = first.kind if wanted or rng.random() < 0.5 else int(rng.integers(len(subject.kinds)))
    colour = first.colour if wanted else (second.colour if rng.random() < 0.5 else int(rng.integers(len(COLOURS))))
    size = first.size if wanted else int(rng.integers(len(SIZES)))
    sample = Thing(kind, colour, size, 0, 0)
    found = any(_key(thing, use) == _key(sample, use) for thing in layout)
    if found != wanted:
        return None
    return {"a_thing": with_article(describe(sample, subject, use))}, "yes" if found else "no"


def _extreme(rng: np.random.Generator, layout: Layout, subject: Subject, _goal: float) -> Asked | None:
    size = int(rng.integers(len(SIZES)))
    chosen = [thing for thing in layout if thing.size == size]
    if len(chosen) != 1 or len(layout) < 2:
        return None
    return {"extreme": ("smallest", "largest")[size]}, subject.kinds[chosen[0].kind]


def _colour(rng: np.random.Generator, layout: Layout, subject: Subject, _goal: float) -> Asked | None:
    pick = _pick_unique(rng, layout, ("k", "sk", "s"))
    if pick is None or len(layout) < 2:
        return None
    thing, use = pick
    return {"thing": describe(thing, subject, use)}, COLOURS[thing.colour]


def _relation(rng: np.random.Generator, layout: Layout, subject: Subject, _goal: float) -> Asked | None:
    pick = _pick_unique(rng, layout, ("k", "c", "ck"))
    if pick is None:
        return None
    anchor, use = pick
    sides: dict[str, Callable[[Thing], bool]] = {
        "left of": lambda thing: thing.column < anchor.column,
        "right of": lambda thing: thing.column > anchor.column,
        "above": lambda thing: thing.row < anchor.row,
        "below": lambda thing: thing.row > anchor.row,
    }
    found = [
        (side, things[0])
        for side, holds in sides.items()
        if len(things := [thing for thing in layout if holds(thing)]) == 1
    ]
    if not found:
        return None
    side, thing = found[int(rng.integers(len(found)))]
    return {"side": side, "thing": describe(anchor, subject, use)}, subject.kinds[thing.kind]


_BUILDERS: dict[str, Callable[[np.random.Generator, Layout, Subject, float], Asked | None]] = {
    "which": _which,
    "count": _count,
    "exists": _exists,
    "extreme": _extreme,
    "colour": _colour,
    "relation": _relation,
}


def ask(
    rng: np.random.Generator, family: str, layout: Layout, subject: Subject, goal: float, generic: bool
) -> tuple[str, str] | None:
    """Return a question of ``family`` about ``layout`` and its answer, or None where the layout has none.

    ``goal`` in [0, 1) is the quantile of the answer that is wanted in families whose answers would else be
    lopsided (counts, yes and no); holding it over redraws of the layout balances them. ``generic`` takes
    pretraining's wordings.
    """
    for _ in range(_TRIES if family in ("count", "exists") else 1):
        asked = _BUILDERS[family](rng, layout, subject, goal)
        if asked is not None:
            words, answer = asked
            wordings = WORDINGS[family][int(generic)]
            return wordings[int(rng.integers(len(wordings)))].format(noun=subject.noun, **words), answer
    return None
