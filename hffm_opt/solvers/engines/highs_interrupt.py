"""HiGHS under Ctrl-C: a run that stops at its next check when the user asks."""

from __future__ import annotations

import threading

import highspy


def run_interruptibly(highs: highspy.Highs, stop: threading.Event) -> None:
    """Run HiGHS beside the main thread, because a signal is only delivered while the main thread runs Python.

    Args:
        highs: the engine with its program.
        stop: set on Ctrl-C; the engine's interrupt callbacks look at it.

    Raises:
        KeyboardInterrupt: Ctrl-C came; HiGHS has stopped by then.
    """
    if threading.current_thread() is not threading.main_thread():
        highs.run()
        return

    # Not `Thread.join`: interrupted while it waits, it takes a running thread for ended (CPython 3.11 and 3.12).
    done = threading.Event()

    def work() -> None:
        try:
            highs.run()
            highspy.Highs.resetGlobalScheduler(False)
        finally:
            done.set()

    stop.clear()
    threading.Thread(target=work, daemon=True).start()
    interrupted = False
    while not done.is_set():
        try:
            done.wait(0.1)
        except KeyboardInterrupt:
            interrupted = True
            stop.set()
    if interrupted:
        stop.clear()
        raise KeyboardInterrupt
