"""The memory of a run is told before it starts, near what it takes, and kept below a limit."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from local_cases import backbone, modules, small_data, small_scenario
from round_cases import plan_of
from run_cases import quick_scenario

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.data import federated_data
from hffm_opt.learning.execution import HOST
from hffm_opt.learning.features import CACHE_BYTES
from hffm_opt.learning.memory import Setting, Sizes, fitting, need_of, resident_bytes, sizes_of
from hffm_opt.learning.prepare import Room, algorithm_of, prepare
from hffm_opt.problem import build_problem

SIZES = Sizes(
    features=(3_000_000, 1_000_000),
    copy_bytes=1_000_000,
    sample_bytes=500_000,
    layer_bytes=100_000,
    devices=10,
    batch_size=8,
    threads=2,
)
MEASURED = """
import json
import numpy as np
from local_cases import backbone, small_scenario
from hffm_opt.learning.data import federated_data
from hffm_opt.learning.evaluate import Evaluator
from hffm_opt.learning.local import LocalTrainer
from hffm_opt.learning.memory import fitting, resident_bytes, sizes_of
from hffm_opt.learning.modules import StackedStates, build_modules, initial_model

small = small_scenario()
learning = small.learning.model_copy(update={"batch_size": 48, "local_passes": 1, "adapter_width": 32})
devices = tuple(d.model_copy(update={"samples": {"digits": 48, "shapes": 96}}) for d in small.devices * 2)
named = tuple(d.model_copy(update={"name": f"{d.name}-{i}"}) for i, d in enumerate(devices))
data = federated_data(small.model_copy(update={"devices": named}), 0, backbone().form)
modules = build_modules(backbone().width, backbone().depth, 32, data.answers)
sizes = sizes_of(backbone(), modules, data, learning, 2)
held = resident_bytes()
setting, need = fitting(sizes, 4, held, None)
trainer = LocalTrainer(backbone(), modules, data, learning, 0, threads=2)
evaluator = Evaluator(backbone(), data, threads=2)
states = StackedStates.repeat(initial_model(modules, 0), len(named))
for number in range(2):
    states = trainer.train(states, range(len(named)), number).states
    evaluator.evaluate(states, "digits")
# Not getrusage: its peak outlives exec, so that it would be that of the process which started this one.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
taken = int(status["VmHWM"].split()[0]) * 1024 - held
print(json.dumps({"told": need.total, "taken": taken}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count the most memory held in other units")
def test_a_batch_is_no_larger_than_what_a_device_holds() -> None:
    most = max(int(task.samples.max()) for task in small_data().tasks.values())
    given = (small_scenario().learning.model_copy(update={"batch_size": size}) for size in (2, 10**9))
    found = [sizes_of(backbone(), modules(), small_data(), learning, 1).batch_size for learning in given]
    assert found == [2, most]


def test_the_estimate_is_near_what_a_run_takes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert 0.5 < found["taken"] / found["told"] < 2.0, found


def test_sizes_are_counted_from_the_model() -> None:
    sizes = sizes_of(backbone(), modules(), small_data(), small_scenario().learning, None)
    depth, width, tokens = backbone().depth, backbone().width, 39
    # The docstring of LocalTrainer: 4 (depth - 1) (13 S d + H S^2), of which the last layer's part is smaller.
    rule = 4 * (depth - 1) * (13 * tokens * width + 4 * tokens**2)
    assert 0.5 * rule < sizes.sample_bytes < 1.2 * rule
    assert sizes.copy_bytes == 4 * sum(module.parameters for module in modules().values())
    held = sum(len(task.train) + len(task.test) for task in small_data().tasks.values())
    assert 0.8 * held * tokens * width * 4 < sum(sizes.features) < held * tokens * (width + 1) * 4
    assert (sizes.devices, sizes.batch_size, sizes.threads) == (5, 4, 1)


def test_need_grows_with_what_is_asked_for() -> None:
    def need(group: int, cache: int = CACHE_BYTES, **changes: int) -> int:
        return need_of(replace(SIZES, **changes), Setting(group, cache)).total  # type: ignore[arg-type]

    assert need(1) < need(2) < need(4)
    assert need(4, 0) < need(4, 1_000_000) < need(4)
    assert need(4) < need(4, threads=3) < need(4, threads=30)
    # Three groups of at most four are all there is to run at a time.
    few, many = (need_of(replace(SIZES, threads=count), Setting(4, 0)) for count in (3, 30))
    assert few.training == many.training
    assert need(4) < need(4, devices=20)
    assert need(16) == need(10)


def test_anchors_are_one_more_copy_of_all_devices_and_of_each_group() -> None:
    free, pulled = (need_of(replace(SIZES, anchored=anchored), Setting(4, CACHE_BYTES)) for anchored in (False, True))
    assert pulled.states - free.states == SIZES.devices * SIZES.copy_bytes
    assert pulled.training - free.training == SIZES.threads * 4 * SIZES.copy_bytes
    assert (pulled.features, pulled.passing) == (free.features, free.passing)


@pytest.mark.parametrize(("scenario_mu", "mu", "anchored"), [(None, 0.1, True), (0.1, None, True), (0.1, 0.0, False)])
def test_a_run_with_fedprox_counts_its_anchors(scenario_mu: float | None, mu: float | None, anchored: bool) -> None:
    scenario = quick_scenario()
    learning = scenario.learning.model_copy(update={"proximal": scenario_mu})
    problem = build_problem(scenario.model_copy(update={"learning": learning}))
    ways, room = algorithm_of(learning, mu, None, False), Room(HOST, 4, 1)
    run = prepare(problem, plan_of(problem, "star"), 1, 0, room, ways, federated_data)
    sizes = sizes_of(load_backbone(learning.backbone), run.engine.modules, run.data, learning, 1, anchored=anchored)
    assert run.header.execution is not None
    assert run.header.execution.memory_bytes == need_of(sizes, Setting(4, CACHE_BYTES)).total


def test_a_limit_takes_smaller_groups_first_and_then_fewer_constants() -> None:
    free, _ = fitting(SIZES, 4, 0, None)
    assert free == Setting(4, CACHE_BYTES)
    seen = []
    limit = need_of(SIZES, free).total
    while not seen or seen[-1] != Setting(1, 999_999):
        setting, need = fitting(SIZES, 4, 0, limit)
        assert need.total <= limit
        seen.append(setting)
        limit = need.total - 1
    with pytest.raises(InputError, match="--max-memory"):
        fitting(SIZES, 4, 0, limit)
    assert seen[:2] == [Setting(4, CACHE_BYTES), Setting(2, CACHE_BYTES)]
    caches = [setting.cache_bytes for setting in seen]
    assert caches == sorted(caches, reverse=True)


def test_the_process_itself_counts() -> None:
    held = resident_bytes()
    assert 50e6 < held < 100e9
    _, need = fitting(SIZES, 4, held, None)
    fitting(SIZES, 4, held, held + need.total)
    with pytest.raises(InputError, match="are allowed, and the run takes at least"):
        fitting(SIZES, 4, held, held)
