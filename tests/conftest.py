"""What holds for all tests: one core for each process, and a Ctrl-C that is heard."""

from __future__ import annotations

import os
import signal

# Several processes test side by side. Threads of one that wait in a loop for one another take the cores of the others.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# A shell that starts the tests in the background switches Ctrl-C off for them and for every program that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
