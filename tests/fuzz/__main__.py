"""``python -m tests.fuzz``: damaged input for hours, or one case again.

python -m tests.fuzz --minutes 60
python -m tests.fuzz --replay quantize/12345
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from tests.fuzz import runner, targets


def main() -> int:
    """Run cases; the exit code is 1 if one broke the contract."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, help="time to spend")
    parser.add_argument("--count", type=int, help="number of cases")
    parser.add_argument("--seed", type=int, default=1_000_000, help="seed of the first case")
    parser.add_argument("--target", choices=sorted(targets.TARGETS), help="this one only")
    parser.add_argument("--log", type=Path, help="file that findings are added to, as JSON lines")
    parser.add_argument("--replay", metavar="TARGET/SEED", help="run one case in this process")
    args = parser.parse_args()
    if args.replay:
        target, seed = args.replay.split("/")
        with tempfile.TemporaryDirectory() as folder:
            print(targets.run_case(target, int(seed), Path(folder)))
        return 0
    runner.prepare()
    seconds = None if args.minutes is None else 60 * args.minutes
    wanted = runner.cases(args.seed, args.target)
    if args.count is not None:
        wanted = itertools.islice(wanted, args.count)
    tally = runner.run(wanted, seconds, None, args.log)
    print(tally.text())
    kinds = collections.Counter(finding.signature for finding in tally.findings)
    for signature, count in kinds.most_common():
        case = next(f.case for f in tally.findings if f.signature == signature)
        print(f"{count:6} {case:28} {signature}")
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
