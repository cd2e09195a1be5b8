import pytest

from hffm_opt.learning.tasks.layout import COLOURS, SIZES, Layout, Thing, draw_layout
from hffm_opt.learning.tasks.questions import FAMILIES, NUMBERS, WORDINGS, Subject, ask, plural, with_article
from hffm_opt.learning.tasks.render import SHAPES
from hffm_opt.seeds import derive

SHAPE = Subject("shape", SHAPES)


def matching(layout: Layout, phrase: str) -> list[Thing]:
    """Return the things that a noun phrase fits, read by its words alone."""
    found = list(layout)
    for word in phrase.split():
        if word in SIZES:
            found = [thing for thing in found if thing.size == SIZES.index(word)]
        elif word in COLOURS:
            found = [thing for thing in found if thing.colour == COLOURS.index(word)]
        else:
            kind = next((name for name in SHAPES if word in (name, plural(name))), None)
            assert kind is not None or word in ("shape", "shapes"), word
            found = [thing for thing in found if kind is None or thing.kind == SHAPES.index(kind)]
    return found


def answer_by_reading(layout: Layout, family: str, question: str) -> str:
    """Answer a question of the first wording of each family from its text, independently of its making."""
    text = question.removesuffix(" ?")
    if family == "which":
        place = text.removeprefix("which shape is at the ")
        return next(SHAPES[thing.kind] for thing in layout if thing.place == place)
    if family == "count":
        return NUMBERS[len(matching(layout, text.removeprefix("how many ").removesuffix(" are there")))]
    if family == "exists":
        phrase = text.removeprefix("is there ").split(" ", 1)[1]
        return "yes" if matching(layout, phrase) else "no"
    if family == "extreme":
        size = 1 if text.endswith("largest") else 0
        (thing,) = [thing for thing in layout if thing.size == size]
        return SHAPES[thing.kind]
    if family == "colour":
        (thing,) = matching(layout, text.removeprefix("what colour is the "))
        return COLOURS[thing.colour]
    side, phrase = text.removeprefix("which shape is ").split(" the ")
    (anchor,) = matching(layout, phrase)
    holds = {
        "left of": lambda thing: thing.column < anchor.column,
        "right of": lambda thing: thing.column > anchor.column,
        "above": lambda thing: thing.row < anchor.row,
        "below": lambda thing: thing.row > anchor.row,
    }[side]
    (thing,) = filter(holds, layout)
    return SHAPES[thing.kind]


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_right_when_read_back_from_the_words(family: str) -> None:
    rng, checked = derive(0, "questions", family), 0
    first = WORDINGS[family][0][0].split("{")[0]
    while checked < 150:
        layout = draw_layout(rng, len(SHAPES))
        asked = ask(rng, family, layout, SHAPE, rng.random(), generic=False)
        if asked is not None and asked[0].startswith(first) and " shown " not in asked[0]:
            if family == "extreme" and not asked[0].startswith("which"):
                continue
            assert asked[1] == answer_by_reading(layout, family, asked[0]), asked
            checked += 1


def test_pretraining_and_tasks_share_no_wording() -> None:
    for task_wordings, generic_wordings in WORDINGS.values():
        assert not set(task_wordings) & set(generic_wordings)
        assert all("[MASK]" not in wording for wording in task_wordings)


def test_a_question_that_the_layout_cannot_answer_is_not_asked() -> None:
    alone = (Thing(0, 0, 0, 0, 0),)
    rng = derive(0, "alone")
    assert all(ask(rng, family, alone, SHAPE, 0.0, False) is None for family in ("extreme", "colour", "relation"))


def test_words() -> None:
    assert [plural(word) for word in ("seven", "six", "cross")] == ["sevens", "sixes", "crosses"]
    assert with_article("eight") == "an eight" and with_article("red eight") == "a red eight"
