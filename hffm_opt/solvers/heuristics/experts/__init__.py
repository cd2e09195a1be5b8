"""Heuristics that place experts: which devices train which."""
