"""Inference as planned: the ledger is the prediction, answers are the unsplit model's, exits and open answers work."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import hffm_opt
from hffm_opt.errors import InputError
from hffm_opt.learning.inference.exits import HEADS, fit_head, read_exits
from hffm_opt.learning.inference.model import answering_model
from hffm_opt.plan.inference import build_inference
from hffm_opt.plan.inference.referee import check_inference_plan
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.inference import Inference, NodeLimits, RequestClass, Server
from hffm_opt.scenario.model import DataFiles, Source
from hffm_opt.scenario.read import load_scenario

SPLITS = ("optimal", "device-only", "cloud-only", "split-layer-1", "split-encoders-cloud")


def scenario_of(task="digits", base="tiny", **more):
    asked = RequestClass(name="a", task=task, device="device-0-0", rate_per_s=2.0)
    given = {"edge": Server(flop_per_s=2e10, j_per_flop=1e-11), "exits": (0, 2), "calibration_samples": 40}
    section = Inference(classes=(asked,), **{**given, **more})
    return load_scenario(base).model_copy(update={"inference": section})


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A scenario with loose exits, and their directory."""
    scenario, where = scenario_of(tolerance=1.0), tmp_path_factory.mktemp("exits")
    exits = hffm_opt.calibrate(scenario, out=where)
    assert exits.calibration == read_exits(where).calibration
    return scenario, where, exits


def check(result):
    assert result.identical == result.unsplit
    for found, told in (
        (result.measured.latency_s, result.predicted.latency_s),
        (result.measured.energy_j, result.predicted.energy_j),
    ):
        assert found == pytest.approx(told, rel=1e-9)


@pytest.mark.parametrize("method", SPLITS)
def test_without_exits_answers_and_costs_are_as_promised(method):
    room = {name: NodeLimits(memory_bit=16e6) for name in ("edge-0", "device-0-0")}
    scenario = scenario_of(nodes=room, peers=False) if method == "optimal" else scenario_of()
    outcome = hffm_opt.plan_inference(scenario, method=method)
    done = hffm_opt.infer(scenario, outcome, samples=2)
    (result,) = done.trace.classes
    check(result)
    assert (result.unsplit, result.ended, result.planned) == (2, {"head": 1.0}, result.predicted)
    assert result.accuracy == result.accuracy_full
    sent = [entry for entry in done.ledger if entry.event == "send"]
    assert all(entry.charged_bits == entry.serialised_bits > 0 for entry in sent)
    assert bool(sent) == (method != "device-only")
    if method == "optimal":
        assert len(set(outcome.plan.classes[0].nodes.values())) > 1


def test_exits_end_requests_early_and_the_ledger_follows(calibrated):
    scenario, where, exits = calibrated
    (first, *_) = exits.calibration.tasks["digits"].exits
    assert first.share > 0.9  # with every loss tolerated, nearly all end at the first exit
    outcome = hffm_opt.plan_inference(scenario, exits=where)
    done = hffm_opt.infer(scenario, outcome, exits=where, samples=6)
    (result,) = done.trace.classes
    check(result)
    assert sum(result.ended.values()) == pytest.approx(1) and result.ended["layer 0"] > 0.5
    assert outcome.objective < hffm_opt.plan_inference(scenario).objective
    again = hffm_opt.infer(scenario, outcome, exits=exits, samples=6)
    assert again.trace == done.trace


def test_a_strict_tolerance_loses_nothing_on_calibration():
    exits = hffm_opt.calibrate(scenario_of(tolerance=0.0, exits=(1,), calibration_samples=20))
    chosen = exits.calibration.tasks["digits"]
    assert chosen.accuracy >= chosen.accuracy_full


def test_sounds_that_the_head_lacks_are_named_by_their_embeddings():
    """The pretrained backbone tells keys apart; of two keys the head knows nothing."""
    scenario = scenario_of("keys", "senses", unseen={"keys": ("star", "pound")}, exits=(), calibration_samples=60)
    device = next(d for d in scenario.devices if "audio" in d.modalities)
    asked = scenario.inference.classes[0].model_copy(update={"device": device.name})
    section = scenario.inference.model_copy(update={"classes": (asked,)})
    tasks = tuple(t for t in scenario.tasks if t.name == "keys")
    kept = (m for m in scenario.modules if "keys" in m.tasks)
    modules = tuple(m.model_copy(update={"tasks": ("keys",)}) for m in kept)
    devices = tuple(d.model_copy(update={"samples": {"keys": 30}, "modalities": ("audio",)}) for d in scenario.devices)
    scenario = scenario.model_copy(
        update={"inference": section, "tasks": tasks, "devices": devices, "modules": modules}
    )
    exits = hffm_opt.calibrate(scenario)
    opened = exits.tasks["keys"].open_set
    model = answering_model(scenario, 0)
    data = model.test("keys", 120)
    found = model.features("keys", data)
    given = opened.answer(found.pooled, np.full(len(data), 0))
    new = opened.unseen[data.answers]
    assert new.sum() >= 10
    assert (given == data.answers)[new].mean() > 0.5  # without embeddings it is 0
    assert opened.unseen[given[~new]].mean() < 0.2
    outcome = hffm_opt.plan_inference(scenario, exits=exits.calibration)
    assert outcome.plan.classes[0].open_answers.answers == ("star", "pound")
    (result,) = hffm_opt.infer(scenario, outcome, exits=exits, samples=6).trace.classes
    check(result)
    assert result.accuracy == result.accuracy_full


def test_calibration_and_test_share_no_sample():
    model = answering_model(scenario_of(), 0)
    held, test = model.calibration("digits", 50), model.test("digits")
    train = model.data.tasks["digits"].train
    pictures = [{picture.tobytes() for picture in data.images} for data in (train, held, test)]
    assert not pictures[0] & pictures[1] and not pictures[1] & pictures[2] and not pictures[0] & pictures[2]


def test_the_test_samples_of_a_data_set_on_disk_are_halved():
    model = answering_model(scenario_of(), 0)
    source = Source(format="gqa", train=DataFiles(questions="questions.json", images="images"))
    tasks = tuple(task.model_copy(update={"source": source}) for task in model.scenario.tasks)
    model = replace(model, scenario=model.scenario.model_copy(update={"tasks": tasks}))
    held, test = model.calibration("digits", 1000), model.test("digits")
    assert len(held) == len(test) == len(model.data.tasks["digits"].test) // 2
    assert not {picture.tobytes() for picture in held.images} & {picture.tobytes() for picture in test.images}


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "their heads are not given"),
        ({"samples": 0, "exits": True}, "--samples"),
        ({"seed": 1, "exits": True}, "one of other weights"),
    ],
)
def test_what_does_not_belong_together_is_refused(calibrated, arguments, match):
    scenario, where, _ = calibrated
    outcome = hffm_opt.plan_inference(scenario, exits=where)
    given = {**arguments, "exits": where} if arguments.get("exits") else arguments
    with pytest.raises(InputError, match=match):
        hffm_opt.infer(scenario, outcome, **given)


def test_damaged_heads_and_foreign_plans_are_refused(calibrated, tmp_path):
    scenario, where, _ = calibrated
    shutil.copytree(where, tmp_path / "exits")
    path = tmp_path / "exits" / HEADS
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="not the file that"):
        read_exits(tmp_path / "exits")
    with pytest.raises(InputError, match="another model"):
        hffm_opt.plan_inference(scenario_of(uncertainty="entropy"), exits=where)
    other = hffm_opt.plan_inference(scenario_of(load_limit=0.5))
    with pytest.raises(InputError, match="plan this scenario anew"):
        check_inference_plan(build_inference(build_problem(scenario)), other.plan)


def test_chains_that_are_not_the_models_are_refused():
    chains = load_chains(scale=2)
    scenario = scenario_of(chains=chains)
    with pytest.raises(InputError, match="count the chains anew"):
        hffm_opt.infer(scenario, hffm_opt.plan_inference(scenario, method="edge-only"), samples=1)


def load_chains(scale):
    from hffm_opt.scenario.chains import shipped_chains

    return tuple(
        chain.model_copy(
            update={
                "encoders": tuple(
                    part.model_copy(update={"input_bit": part.input_bit * scale}) for part in chain.encoders
                )
            }
        )
        for chain in shipped_chains("vilt-small", 32, None)
    )


def test_heads_of_few_answers():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 3))
    two = np.where(features[:, 0] > 0, 4, 1)
    head = fit_head(features, two, 5)
    logits = features @ head["weight"].numpy() + head["bias"].numpy()
    assert (logits.argmax(axis=1) == two).mean() > 0.85
    one = fit_head(features, np.full(40, 2), 5)
    assert (one["weight"].numpy() == 0).all() and int(one["bias"].argmax()) == 2
