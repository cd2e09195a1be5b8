"""Frozen backbones that run layer by layer."""

from hffm_opt.learning.backbones.base import Backbone
from hffm_opt.learning.backbones.zoo import load_backbone

__all__ = ["Backbone", "load_backbone"]
