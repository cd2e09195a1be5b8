"""How unlike devices are: laws of their answers, tasks, modalities and numbers of samples, all in one place.

With K things to spread and a concentration alpha > 0, small for unlike devices and large for like ones:

    answers of device u       q_u ~ Dirichlet(alpha, ..., alpha)                samples ~ q_u
    tasks of device u         t_u ~ Dirichlet(alpha_1, ..., alpha_K)            n_uk ~ Multinomial(n_u, t_u)
    modalities of device u    w_u ~ Dirichlet(alpha, ..., alpha)                owns m where w_um >= 1 / (2 K)
    samples of all devices    s ~ Dirichlet(alpha, ..., alpha) over devices     (n_u) ~ Multinomial(n, s)

A device has at least one modality. It holds samples of the tasks whose modalities it all has, and of no others; its law
of tasks is restricted to these.

Source: Hsu et al., arXiv 1909.06335, for answers with a flat base measure; the others are its analogues.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hffm_opt.errors import Finding, InputError
from hffm_opt.scenario.model import Task
from hffm_opt.seeds import derive, derive_entropy


@dataclass(frozen=True)
class Holding:
    """What one device can sense, and how many samples of each task it holds (0 included)."""

    modalities: tuple[str, ...]
    samples: dict[str, int]


def answer_law(rng: np.random.Generator, answers: int, alpha: float) -> NDArray[np.float64]:
    """Return a device's law over ``answers`` answers, float64 [answers]."""
    return rng.dirichlet(np.full(answers, float(alpha))) if answers else np.zeros(0)


def shares_seed(seed: int, task: str) -> int:
    """Return the root of the streams by which a task's samples are shared out over devices."""
    return derive_entropy(seed, "shares", task)


def device_stream(shares: int, device: int) -> np.random.Generator:
    """Return a device's own stream under a root as :func:`shares_seed` returns it: first its law, then its samples."""
    return derive(shares, "partition", "device", device)


def device_law(seed: int, task: str, device: int, answers: int, alpha: float) -> NDArray[np.float64]:
    """Return the law of answers with which training draws a device's samples of a task, float64 [answers].

    It holds where all ``answers`` occur in the task's data, and until an answer runs out.
    """
    return answer_law(device_stream(shares_seed(seed, task), device), answers, alpha)


def draw_modalities(rng: np.random.Generator, modalities: Sequence[str], alpha: float) -> tuple[str, ...]:
    """Return the modalities that a device has, at least one, in the order given."""
    weights = rng.dirichlet(np.full(len(modalities), float(alpha)))
    owned = weights >= 1 / (2 * len(modalities))
    return tuple(name for name, own in zip(modalities, owned, strict=True) if own)


def share_tasks(
    rng: np.random.Generator, tasks: Sequence[Task], total: int, least: int, alpha: Sequence[float] | None = None
) -> dict[str, int]:
    """Return how many of a device's ``total`` samples each task has.

    A share below ``least``, which would make no step of training, goes to the largest task, so that some devices own
    the modules of some tasks only. A device with fewer than ``least`` samples in all holds none.

    Args:
        rng: the device's own stream.
        tasks: the tasks that the device can hold.
        total: all its samples.
        least: fewest samples of a task that it holds any of.
        alpha: concentration of each task; by default the tasks' own ``dirichlet_alpha``.
    """
    if not tasks:
        return {}
    law = rng.dirichlet([task.dirichlet_alpha for task in tasks] if alpha is None else list(alpha))
    row = rng.multinomial(total, law)
    small = row < least
    row[np.argmax(row)] += row[small].sum()
    row[small] = 0
    return {task.name: int(count) for task, count in zip(tasks, row, strict=True)}


def draw_holdings(
    names: Sequence[str],
    tasks: Sequence[Task],
    samples: int,
    seed: int,
    *,
    least: int = 8,
    count_alpha: float = 10.0,
    task_alpha: float = 0.5,
    modality_alpha: float = 1.0,
) -> list[Holding]:
    """Return what every device can sense and holds, each device's stream its own.

    A task that nobody would hold gets ``least`` samples at the first device that can sense it, or else at the first
    device, which is then given the modalities.

    Args:
        names: the devices.
        tasks: the tasks; their modalities are those that devices may have.
        samples: the samples of all devices and tasks together, before shares below ``least`` are moved.
        seed: root of every draw.
        least: fewest samples of a task that a device holds any of.
        count_alpha: concentration of the numbers of samples over devices.
        task_alpha: concentration of tasks on a device.
        modality_alpha: concentration of modalities on a device.

    Raises:
        InputError: no device or task, a negative number of samples, or a concentration that is not positive.

    Example:
        >>> tasks = [Task(name="seen", answers=2), Task(name="heard", modalities=("audio",), answers=2)]
        >>> held = draw_holdings([f"device-{i}" for i in range(6)], tasks, 240, seed=1)
        >>> all(holding.samples["heard"] == 0 for holding in held if "audio" not in holding.modalities)
        True
    """
    findings = [
        Finding(name, f"{value} is no concentration", "use a finite number above 0")
        for name, value in (
            ("count_alpha", count_alpha),
            ("task_alpha", task_alpha),
            ("modality_alpha", modality_alpha),
        )
        if not (np.isfinite(value) and value > 0)
    ]
    if not names or not tasks or samples < 0:
        findings.append(Finding("devices, tasks, samples", "nothing to share out", "give at least one device and task"))
    if findings:
        raise InputError(findings)
    senses = list(dict.fromkeys(modality for task in tasks for modality in task.modalities))
    shares = derive(seed, "heterogeneity", "counts").dirichlet(np.full(len(names), float(count_alpha)))
    counts = derive(seed, "heterogeneity", "numbers").multinomial(samples, shares)
    holdings = []
    for name, count in zip(names, counts.tolist(), strict=True):
        rng = derive(seed, "heterogeneity", "device", name)
        owned = draw_modalities(rng, senses, modality_alpha)
        able = [task for task in tasks if set(task.modalities) <= set(owned)]
        held = share_tasks(rng, able, count, least, [task_alpha] * len(able))
        holdings.append(Holding(owned, {task.name: held.get(task.name, 0) for task in tasks}))
    for task in tasks:
        if not any(holding.samples[task.name] for holding in holdings):
            able_at = [i for i, holding in enumerate(holdings) if set(task.modalities) <= set(holding.modalities)]
            i = able_at[0] if able_at else 0
            wanted = {*holdings[i].modalities, *task.modalities}
            modalities = tuple(sense for sense in senses if sense in wanted)
            holdings[i] = Holding(modalities, {**holdings[i].samples, task.name: least})
    return holdings
