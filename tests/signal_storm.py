"""Several interpreters with the delegate, in several threads each, under a storm of signals.

A script with nothing but NumPy and a runtime, so that it runs in the emulated Python too. Takes on
standard input ``{"module", "library", "model", "inputs", "expected", "options"}``: ``inputs`` and
``expected`` are ``.npy`` stacks of samples for the model's input and output. Prints ``{"wrong",
"runs", "sent", "handled"}``: how many inferences gave a wrong result, how many there were, how many
signals were sent to threads and how often Python came to handle some.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import threading
import time
from typing import Any

import numpy as np

INTERPRETERS = 3
SECONDS = 4.0
# Timers that go off at so short intervals as the system allows, besides the signals sent here.
INTERVAL = 2e-4
TIMERS = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}


class Interpreters:
    """Runs in threads until time is up; counts what came out."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.runs = self.wrong = 0
        self._lock = threading.Lock()
        self._inputs, self._expected = np.load(job["inputs"]), np.load(job["expected"])
        runtime = importlib.import_module(job["module"])
        self._threads = []
        for _ in range(INTERPRETERS):
            interpreter = runtime.Interpreter(
                model_path=job["model"],
                experimental_delegates=[runtime.load_delegate(job["library"], job["options"])],
                experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF,
            )
            interpreter.allocate_tensors()
            self._threads.append(threading.Thread(target=self._work, args=(interpreter,)))

    def run(self) -> None:
        """Start the threads and wait for them."""
        self._end = time.monotonic() + SECONDS
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()

    def _work(self, interpreter: Any) -> None:
        (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        while time.monotonic() < self._end:
            for values, wanted in zip(self._inputs, self._expected):
                interpreter.set_tensor(given["index"], values)
                interpreter.invoke()
                right = np.array_equal(interpreter.get_tensor(result["index"]), wanted)
                with self._lock:
                    self.runs += 1
                    self.wrong += not right


class Storm:
    """Sends signals to every thread of the process, the delegate's own included."""

    def __init__(self) -> None:
        self.sent = self.handled = 0
        self._over = False
        self._thread = threading.Thread(target=self._send)
        for number in (signal.SIGUSR1, *TIMERS):
            signal.signal(number, self._handle)

    def __enter__(self) -> Storm:
        for timer in TIMERS.values():
            signal.setitimer(timer, INTERVAL, INTERVAL)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()
        for timer in TIMERS.values():
            signal.setitimer(timer, 0)
        # Threads that have not run since get theirs yet, when handlers may be gone.
        for number in (signal.SIGUSR1, *TIMERS):
            signal.signal(number, signal.SIG_IGN)

    def _handle(self, *_: object) -> None:
        self.handled += 1

    def _send(self) -> None:
        tgkill = ctypes.CDLL(None).tgkill
        process, own = os.getpid(), threading.get_native_id()
        while not self._over:
            for thread in map(int, os.listdir("/proc/self/task")):
                if thread != own:
                    self.sent += tgkill(process, thread, signal.SIGUSR1) == 0
            time.sleep(INTERVAL)


def main() -> None:
    interpreters = Interpreters(json.load(sys.stdin))
    with Storm() as storm:
        interpreters.run()
    counts = {
        "wrong": interpreters.wrong,
        "runs": interpreters.runs,
        "sent": storm.sent,
        "handled": storm.handled,
    }
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
