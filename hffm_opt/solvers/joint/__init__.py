"""The joint plan: circulation over the whole network, heads and trees inside every cell, under one certificate."""
