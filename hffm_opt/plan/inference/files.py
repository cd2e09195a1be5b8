"""Plans of inference and calibrations from their files."""

from __future__ import annotations

from pathlib import Path

from hffm_opt.plan.inference.model import Calibration, InferenceOutcome, InferencePlan
from hffm_opt.serial import parse_text, read_model, read_text, validate

EXITS = "exits.json"


def load_inference(path: str | Path) -> InferenceOutcome | InferencePlan:
    """Read a plan of inference from a JSON file: an outcome, which has its certificate, or a plan alone.

    Raises:
        InputError: missing file, broken JSON, another kind of plan, or one with faults; all faults at once.
    """
    data = parse_text(read_text(Path(path), "plan"), str(path))
    whole = None
    if isinstance(data, dict) and isinstance(data.get("plan"), dict):
        whole, data = data, data["plan"]
    if whole is not None and "status" in whole:
        return validate(whole, InferenceOutcome, "outcome of inference", str(path))
    return validate(data, InferencePlan, "plan of inference", str(path))


def load_calibration(path: str | Path) -> Calibration:
    """Read a calibration from its directory, or from the file ``exits.json`` in it.

    Raises:
        InputError: missing file, broken JSON, or a calibration with faults.
    """
    file = Path(path) / EXITS if Path(path).is_dir() else Path(path)
    return read_model(file, Calibration, "calibration")
