"""Baselines of the literature, one file each; all are judged by the referee."""
