"""Running a peer: a stand-in quantizer in an environment that is this one."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.peers import process, registry

PYTHON = Path(sys.executable)
STAND_IN = registry.Environment("stand-in", "stand_in", PYTHON, "make stand-in")

SOURCE = """
import json, os, signal, sys, time
import numpy as np
MODULES = ("json", {module!r})

def quantize(model, samples, **options):
    {body}
    seen = {{
        "model": model.read_text(),
        "samples": [[*x.shape, float(x.sum())] for x in samples],
        "options": options,
        "path": os.environ.get("PYTHONPATH"),
    }}
    return json.dumps(seen).encode()

def versions():
    return {{"Stand-in": "0.5"}}
"""


@dataclasses.dataclass
class Bench:
    """Runners in a folder of their own, and what they are given."""

    folder: Path

    def write(self, body: str = "pass", module: str = "os") -> Path:
        runners = self.folder / "runners"
        runners.mkdir(exist_ok=True)
        shutil.copy(process.RUNNERS / "main.py", runners)
        (runners / "stand_in.py").write_text(SOURCE.format(body=body, module=module))
        return runners

    def quantize(
        self,
        body: str = "pass",
        environment: registry.Environment = STAND_IN,
        options: dict[str, Any] | None = None,
    ) -> process.Run:
        runners = self.write(body)
        model, samples, exchange = (self.folder / n for n in ("model", "samples.npy", "exchange"))
        model.write_text("a float model")
        process.write_samples([np.full((1, 2, 3), i, np.float32) for i in range(2)], samples)
        exchange.mkdir()
        return process.quantize(
            environment, PYTHON, model, samples, options or {}, exchange, runners
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_runner_gets_model_samples_and_options_and_its_file_comes_back(bench: Bench) -> None:
    run = bench.quantize(options={"bits": "7"})
    seen = json.loads(run.model)
    assert seen["model"] == "a float model"
    assert seen["samples"] == [[1, 2, 3, 0.0], [1, 2, 3, 6.0]]
    assert seen["options"] == {"bits": "7"}
    assert run.versions == {"Stand-in": "0.5"}


def test_usage_is_that_of_the_quantizing_process(bench: Bench) -> None:
    work = """start = time.process_time()
    ballast = np.ones(60 << 20, np.int32)
    while time.process_time() < start + 0.5: pass
    time.sleep(0.3)"""
    usage = bench.quantize(work).usage
    assert 0.5 <= usage["cpu_seconds"] < 5
    assert usage["wall_seconds"] >= usage["cpu_seconds"] / 2
    assert usage["wall_seconds"] >= 0.8
    assert 240 <= usage["peak_memory_mib"] < 340


def test_memory_of_the_benchmark_itself_does_not_count(bench: Bench) -> None:
    ballast = np.ones(100 << 20, np.int32)
    assert bench.quantize().usage["peak_memory_mib"] < 150
    assert ballast[-1] == 1


def test_only_our_runner_sees_our_modules(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    assert json.loads(bench.quantize().model)["path"] is None


def test_our_runner_measures_the_tree_of_the_benchmark(bench: Bench) -> None:
    ours = dataclasses.replace(registry.OURS, runner="stand_in")
    assert json.loads(bench.quantize(environment=ours).model)["path"] == str(registry.REPOSITORY)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ValueError('no ADD here\\nwith a long story')", "^ValueError: no ADD here$"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "^ended by SIGKILL: no message$"),
        ("sys.exit('gave up')", "^exit status 1: gave up$"),
    ],
)
def test_a_failing_peer_gives_a_reason(bench: Bench, body: str, reason: str) -> None:
    with pytest.raises(process.RunnerError, match=reason):
        bench.quantize(body)


def test_a_working_environment_has_no_obstacle(bench: Bench) -> None:
    assert process.obstacle(STAND_IN, PYTHON, bench.write()) is None


def test_obstacles_name_what_is_missing_and_the_remedy(bench: Bench, tmp_path: Path) -> None:
    remedy = "make it with `make stand-in`, or name its Python with --python stand-in=..."
    absent = tmp_path / "nowhere" / "python"
    runners = bench.write(module="a_quantizer_nobody_has")
    assert process.obstacle(STAND_IN, absent, runners) == f"there is no {absent}; {remedy}"
    assert process.obstacle(STAND_IN, PYTHON, runners) == (
        f"{PYTHON} has no a_quantizer_nobody_has; {remedy}"
    )
    broken = process.obstacle(STAND_IN, Path("/bin/false"), runners)
    assert broken == f"/bin/false does not work: exit status 1; {remedy}"


def test_every_peer_has_a_runner_that_imports_without_its_quantizer() -> None:
    for environment in registry.ENVIRONMENTS.values():
        found = process.obstacle(environment, PYTHON)
        assert found is None or " has no " in found, found
