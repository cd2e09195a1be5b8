"""The embedded tasks: pictures and questions made on the fly, the same on every machine for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.learning.tasks.layout import COLOURS, Layout, draw_layout, layout_code
from hffm_opt.learning.tasks.questions import FAMILIES, NUMBERS, Subject, ask
from hffm_opt.learning.tasks.render import SHAPES, Mask, digit_mask, draw, shape_mask
from hffm_opt.learning.tasks.scans import SHARES, SPLITS, scan_groups
from hffm_opt.learning.tasks.tokens import Tokenizer, encode
from hffm_opt.learning.tasks.values import Example, Task, TaskData
from hffm_opt.seeds import derive

SUBJECTS: dict[str, Subject] = {"digits": Subject("digit", NUMBERS), "shapes": Subject("shape", SHAPES)}
_CODES = 1 << 32


def embedded_tasks() -> dict[str, Task]:
    """Return the embedded tasks by name.

    >>> embedded_tasks()["shapes"].answers[:3]
    ('circle', 'square', 'triangle')
    """
    return {
        "digits": Task("digits", ("image", "text"), (*NUMBERS, *COLOURS, "yes", "no")),
        "shapes": Task("shapes", ("image", "text"), (*SHAPES, *NUMBERS[:5], *COLOURS, "yes", "no")),
    }


def layout_split(layout: Layout) -> str:
    """Return the split that owns a layout, by the layout's code, so that no layout is in two splits."""
    edges = np.cumsum(SHARES) * _CODES
    return SPLITS[int(np.searchsorted(edges[:-1], layout_code(layout), side="right"))]


def _draw_sources(
    rng: np.random.Generator, task: str, split: str, layout: Layout
) -> tuple[tuple[int, ...], tuple[Mask, ...]]:
    """Return what the picture is made of (scans, or the layout's code) and one mask per thing."""
    if task == "shapes":
        return (layout_code(layout),), tuple(shape_mask(thing.kind, thing.size) for thing in layout)
    groups = scan_groups(split)
    scans = tuple(groups[thing.kind][int(rng.integers(len(groups[thing.kind])))] for thing in layout)
    return scans, tuple(digit_mask(scan, thing.size) for scan, thing in zip(scans, layout, strict=True))


def _find_task(name: str, split: str) -> Task:
    tasks = embedded_tasks()
    if name not in tasks:
        raise InputError.one("task", f"no embedded task is called {name!r}", f"choose one of {', '.join(tasks)}")
    if split not in SPLITS:
        raise InputError.one("split", f"no split is called {split!r}", f"choose one of {', '.join(SPLITS)}")
    return tasks[name]


def stream_scenes(task_name: str, split: str, seed: int, *, generic: bool = False) -> Iterator[tuple[Layout, Example]]:
    """Yield layouts and examples of a task without end; the stream depends on the arguments alone.

    Families come in turn, shuffled within each turn. ``generic`` asks in pretraining's wordings, which no
    task uses.

    Raises:
        InputError: the task or the split does not exist.
    """
    task = _find_task(task_name, split)
    subject, index = SUBJECTS[task_name], {answer: i for i, answer in enumerate(task.answers)}
    rng = derive(seed, "examples", task_name, split, int(generic))
    while True:
        for family in (FAMILIES[int(i)] for i in rng.permutation(len(FAMILIES))):
            goal, asked = rng.random(), None
            while asked is None:
                layout = draw_layout(rng, len(subject.kinds))
                if task_name == "shapes" and layout_split(layout) != split:
                    continue
                asked = ask(rng, family, layout, subject, goal, generic)
            source, masks = _draw_sources(rng, task_name, split, layout)
            yield layout, Example(draw(layout, masks, rng), asked[0], index[asked[1]], family, source)


def make_examples(task_name: str, split: str, count: int, seed: int) -> tuple[Example, ...]:
    """Return ``count`` examples of one split with their questions as text (see :func:`make_split`)."""
    stream = stream_scenes(task_name, split, seed)
    return tuple(next(stream)[1] for _ in range(count))


def collate(examples: Sequence[Example], tokenizer: Tokenizer | None = None) -> TaskData:
    """Return the examples as arrays; ``tokenizer`` defaults to the embedded vocabulary's.

    Raises:
        InputError: there is no example, or a question does not fit the text length.
    """
    if not examples:
        raise InputError.one("count", "a data set needs at least one example", "ask for 1 or more")
    input_ids, attention_mask = encode([example.question for example in examples], tokenizer)
    return TaskData(
        images=np.stack([example.image for example in examples]),
        input_ids=input_ids,
        attention_mask=attention_mask,
        answers=np.array([example.answer for example in examples], dtype=np.int64),
        families=tuple(example.family for example in examples),
    )


def make_split(task_name: str, split: str, count: int, seed: int, tokenizer: Tokenizer | None = None) -> TaskData:
    """Return ``count`` examples of one split of an embedded task, the same bytes for the same arguments.

    Splits are disjoint in what the pictures are made of: ``digits`` in the scans, ``shapes`` in the layouts.

    Raises:
        InputError: the task or the split does not exist, or ``count`` is below 1.

    >>> data = make_split("digits", "test", 6, seed=0)
    >>> data.images.shape, len(set(data.families))
    ((6, 32, 48, 3), 6)
    """
    return collate(make_examples(task_name, split, count, seed), tokenizer)
