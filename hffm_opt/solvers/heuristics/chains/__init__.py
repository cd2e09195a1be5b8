"""Heuristics that place the segments of inference."""
