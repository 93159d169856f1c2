"""Runs a command and writes down what it used, from a process too small to disturb the figure.

usage: launch.py USAGE COMMAND...

On Linux the peak memory of a process starts with what its parent had in memory when it forked;
so the parent is this script and not the benchmark, which holds models and images.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    """Command line: see the module's docstring."""
    usage_file, *command = sys.argv[1:]
    started = time.monotonic()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(process, 0)
    figures = {
        "wall_seconds": round(time.monotonic() - started, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_memory_mib": round(used.ru_maxrss / 1024, 1),  # the system counts in KiB
        "status": os.waitstatus_to_exitcode(status),
    }
    with open(usage_file, "w", encoding="utf-8") as stream:
        json.dump(figures, stream)


if __name__ == "__main__":
    main()
