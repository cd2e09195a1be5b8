"""What is given: networks, modular models and tasks, read strictly and checked completely."""

from hffm_opt.scenario.model import CLOUD, Scenario

__all__ = ["CLOUD", "Scenario"]
