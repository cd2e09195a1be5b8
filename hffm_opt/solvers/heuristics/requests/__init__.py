"""Rules that choose holders and paths of copied modules, one file each: ``(relaying, seed)`` to a route a transfer."""
