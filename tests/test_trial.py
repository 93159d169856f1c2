"""Models at which a runtime ends the process: this one must stay, and say which model it was."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.built_models import NetworkBuilder
from tflite_eq import Config, known_model, process_apart, quantize, runtimes, trial, workers
from tflite_eq.cli.main import main, parse
from tflite_eq.errors import BackendError, ModelError
from tflite_eq.evaluation.comparison import compare_outputs
from tflite_eq.evaluation.executable import Executable
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph import schema
from tflite_eq.outlook import outlook
from tflite_eq.runtimes import Kernels, Runtime, available_runtimes, preferred_runtime
from tflite_eq.trial import Bounds, Job, Step, check_survives, death, has_run

IMAGE = np.random.default_rng(3).standard_normal((1, 4, 4, 3)).astype(np.float32)

# A runtime that ends the process where a model asks for it: in one step, with some kernels.
ABORTING = """
import os
from ai_edge_litert.interpreter import Interpreter as Whole, OpResolverType

class Interpreter(Whole):
    def __init__(self, model_content=None, experimental_op_resolver_type=None, **options):
        steps = ["build", "allocate", "invoke"]
        self._asked = [s for s in steps if f"die at {s}".encode() in model_content]
        if f"but not {experimental_op_resolver_type.name};".encode() in model_content:
            self._asked = []
        self._die("build")
        options["experimental_op_resolver_type"] = experimental_op_resolver_type
        super().__init__(model_content=model_content, **options)
    def _die(self, step):
        if step in self._asked:
            os.abort()
    def allocate_tensors(self):
        self._die("allocate")
        return super().allocate_tensors()
    def invoke(self):
        self._die("invoke")
        return super().invoke()
"""


@pytest.fixture
def aborting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """That runtime, the preferred one meanwhile."""
    (tmp_path / "aborting_runtime.py").write_text(textwrap.dedent(ABORTING))
    monkeypatch.syspath_prepend(tmp_path)
    candidates = (("aborting", "aborting_runtime"), *runtimes._CANDIDATES)
    monkeypatch.setattr(runtimes, "_CANDIDATES", candidates)
    yield preferred_runtime()
    runtimes._load.cache_clear()


def network(described: str = "", *, is_open: bool = False) -> bytes:
    """A network of one layer, with what it asks of that runtime in its description."""
    net = NetworkBuilder(*IMAGE.shape)
    model = schema.parse(net.finished(net.dense(net.reshape(net.conv(net.input, 4), 1, 64), 3)))
    model.description = described.encode()
    if is_open:
        for index, tensor in enumerate(model.subgraphs[0].tensors):
            if index == net.input:
                tensor.shapeSignature = np.array([-1, *IMAGE.shape[1:]], np.int32)
    return schema.serialize(model)


def broadcasting(kind: str, options: str) -> bytes:
    """An operator that broadcasts in six dimensions, which many kernels do not."""
    shape, other = (1, 2, 2, 2, 2, 4), (1, 2, 1, 2, 1, 4)
    net = NetworkBuilder(*IMAGE.shape)
    terms = [
        net.reshape(net.conv(net.input, 4), *shape),
        net.constant(np.random.default_rng(1).standard_normal(other).astype(np.float32)),
    ]
    if kind == "SELECT_V2":
        condition = net.operator("GREATER", terms, shape, ("GreaterOptions", {}), "BOOL")
        terms = [condition, *terms]
    joined = net.operator(kind, terms, shape, (options, {}))
    return net.finished(net.dense(net.reshape(joined, 1, 64), 3))


@pytest.mark.parametrize("step", list(Step))
def test_the_step_that_ends_the_process_is_told(aborting: Runtime, step: Step) -> None:
    model = network(f"die at {step.value}")
    for until in Step:
        ends = list(Step).index(until) >= list(Step).index(step)
        found = death(aborting, Job(model, Kernels.DEFAULT, [IMAGE], until))
        assert found == ("SIGABRT" if ends else None)


def test_models_that_a_runtime_runs_or_refuses_are_its_own_to_judge() -> None:
    for runtime in available_runtimes():
        assert death(runtime, Job(network(), Kernels.DEFAULT, [IMAGE])) is None
        assert death(runtime, Job(b"no model", Kernels.DEFAULT, [IMAGE])) is None
        assert death(runtime, Job(network(), Kernels.DEFAULT, [IMAGE[..., :1]])) is None


@pytest.mark.parametrize("runtime", available_runtimes(), ids=lambda runtime: runtime.name)
def test_a_real_death_is_told_after_a_life_and_before_another(runtime: Runtime) -> None:
    alive = Job(network(), Kernels.BUILTIN, [IMAGE])
    model = broadcasting("SELECT_V2", "SelectV2Options")
    assert death(runtime, alive) is None
    found = death(runtime, Job(model, Kernels.BUILTIN, [IMAGE]))
    assert found == (None if runtime.name == "ai-edge-litert" else "SIGABRT")
    trial._endings.clear()
    assert death(runtime, alive) is None


def test_it_is_known_what_ran_without_an_error() -> None:
    runtime = preferred_runtime()
    for job, runs in (
        (Job(network(), Kernels.DEFAULT, [IMAGE]), True),
        (Job(b"no model", Kernels.DEFAULT, [IMAGE]), False),
        (Job(network(), Kernels.DEFAULT, [IMAGE[..., :1]]), False),
    ):
        assert death(runtime, job) is None
        assert has_run(runtime, job) is runs
    assert not has_run(runtime, Job(network("another"), Kernels.DEFAULT, [IMAGE]))


def test_kernels_that_survive_are_named(aborting: Runtime) -> None:
    job = Job(network("die at invoke but not BUILTIN_REF;"), Kernels.DEFAULT, [IMAGE])
    with pytest.raises(BackendError, match=r"m: aborting unknown would end the process") as caught:
        check_survives(aborting, job, "m")
    assert "(SIGABRT) at running the model with default kernels" in str(caught.value)
    assert "with reference kernels it would not" in str(caught.value)


def test_nothing_is_tried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Job] = []
    monkeypatch.setattr(trial, "_endings", {})
    monkeypatch.setattr(trial, "_ask", lambda _, job: asked.append(job))
    for _ in range(2):
        model = Executable("m", network(), preferred_runtime())
        for _ in range(2):
            model.run([IMAGE])
    assert [job.until for job in asked] == [Step.BUILD, Step.INVOKE]
    Executable("m", network("another"), preferred_runtime(), survives=True).run([IMAGE])
    assert len(asked) == 2


def test_sizes_between_those_tried_need_no_trial() -> None:
    bounds = Bounds()
    wider = [bounds.widen([(1, n, 8)]) for n in (4, 4, 9, 6, 5, 3, 10)]
    assert wider == [True, False, True, False, False, True, True]
    assert bounds.widen([(1, 5)])  # of another number of dimensions


def test_nothing_is_tried_where_somebody_waits_for_the_process(
    monkeypatch: pytest.MonkeyPatch, aborting: Runtime
) -> None:
    monkeypatch.setattr(workers, "_is_worker", True)
    assert death(aborting, Job(network("die at build"), Kernels.DEFAULT)) is None


@pytest.mark.parametrize("frozen", [True, False])
def test_where_no_process_can_be_started_models_run_untried(
    monkeypatch: pytest.MonkeyPatch, frozen: bool
) -> None:
    monkeypatch.setattr(process_apart, "processes", {})
    monkeypatch.setattr(trial, "_endings", {})
    monkeypatch.setattr(trial, "_untried", set())
    if frozen:
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    else:
        monkeypatch.setattr(sys, "executable", os.devnull)
    runtime = preferred_runtime()
    assert death(runtime, Job(network(), Kernels.DEFAULT, [IMAGE])) is None
    assert runtime in trial._untried


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_asks_a_process_of_its_own(aborting: Runtime) -> None:
    assert death(aborting, Job(network(), Kernels.DEFAULT, [IMAGE])) is None
    child = os.fork()
    if child == 0:
        os._exit(death(aborting, Job(network("die at invoke"), Kernels.DEFAULT, [IMAGE])) is None)
    assert os.waitpid(child, 0)[1] == 0
    model = network("another one")
    assert death(aborting, Job(model, Kernels.DEFAULT, [IMAGE])) is None


def test_tensorflows_runtime_is_imported_without_tensorflow() -> None:
    runtime = next((r for r in available_runtimes() if r.name == "tensorflow"), None)
    if runtime is None:
        pytest.skip("TensorFlow is not installed")
    script = f"""
        import sys
        import numpy as np
        from tflite_eq import known_model, runtimes, trial_process
        runtime = runtimes.Runtime({runtime.name!r}, {runtime.version!r}, {runtime.module!r})
        trial_process.do_without_tensorflow(runtime)
        for kernels in runtimes.Kernels:
            interpreter = runtime.bare_interpreter(known_model.known_model(), kernels)
            found = runtimes._run(interpreter, known_model.INPUT)
            np.testing.assert_array_equal(found, known_model.EXPECTED)
        assert "tensorflow.python.framework" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)


STEPS = [f"die at {step.value}" for step in Step]


@pytest.mark.parametrize("described", STEPS)
@pytest.mark.parametrize("is_open", [False, True], ids=["fixed", "open"])
def test_quantizing_ends_in_an_error(aborting: Runtime, described: str, is_open: bool) -> None:
    model = network(described, is_open=is_open)
    with pytest.raises((BackendError, ModelError), match="would end the process"):
        quantize(model, [[IMAGE]] * 2, Config(seed=1))


@pytest.mark.parametrize("described", STEPS)
def test_looking_at_a_model_ends_in_a_result(aborting: Runtime, described: str) -> None:
    assert outlook(network(described, is_open=True), "m")


@pytest.mark.parametrize("described", STEPS)
@pytest.mark.parametrize("labels", [True, False], ids=["labels", "outputs"])
def test_evaluating_ends_in_one_line(
    aborting: Runtime,
    described: str,
    labels: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "m.tflite").write_bytes(network(described))
    (tmp_path / "whole.tflite").write_bytes(network())
    arrays: dict[str, npt.NDArray[np.generic]] = {"images": np.concatenate([IMAGE] * 3)}
    if labels:
        arrays["label"] = np.array([0, 1, 2])
    np.savez(tmp_path / "data.npz", **arrays)  # type: ignore[arg-type]
    flags = ["--reference", str(tmp_path / "whole.tflite"), "--num_workers", "1"]
    data = ["--dataset", str(tmp_path / "data.npz")]
    code = main(
        parse(["tflite-eq", "evaluate", "--model", str(tmp_path / "m.tflite"), *data, *flags])
    )
    assert code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: m.tflite: aborting unknown would end the process (SIGABRT)")


def test_comparing_names_the_model() -> None:
    old = next((r for r in available_runtimes() if r.name == "tflite-runtime"), None)
    if old is None:
        pytest.skip("tflite-runtime is not installed")
    model = NamedModel("m.tflite", broadcasting("SELECT_V2", "SelectV2Options"))
    with pytest.raises(BackendError, match=r"^m\.tflite: tflite-runtime .* \(SIGABRT"):
        compare_outputs([model], NamedModel("r", network()), [IMAGE], runtime=old)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("SELECT_V2", "SelectV2Options"),
        ("SQUARED_DIFFERENCE", "SquaredDifferenceOptions"),
        ("MAXIMUM", "MaximumMinimumOptions"),
    ],
)
def test_runtimes_that_would_end_the_process_are_left_out_of_the_last_check(
    kind: str, options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = quantize(broadcasting(kind, options), [[IMAGE], [-IMAGE]], Config(seed=1))
    ran = result.report.summary["runtimes"]
    assert ran[0].startswith("ai-edge-litert")
    said = capsys.readouterr().err
    # By runtime and kernels: which end the process at this model depends on both.
    notes = [line for line in said.splitlines() if line.startswith("note: left out, for they run")]
    assert all("would end the process" in note for note in notes)
    for runtime in available_runtimes():
        for kernels in ("default", "builtin"):
            is_left_out = f"{runtime.description} with {kernels} kernels (" in " ".join(notes)
            names = {runtime.description, f"{runtime.description} with {kernels} kernels"}
            assert is_left_out == names.isdisjoint(ran)


def test_the_known_model_is_what_processes_begin_with() -> None:
    for runtime in available_runtimes():
        job = Job(known_model.known_model(), Kernels.REFERENCE, [known_model.INPUT])
        assert death(runtime, job) is None
