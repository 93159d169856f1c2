"""A model with and without the delegate, in turns: a slow spell of the machine hits both alike."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import multiprocessing
import multiprocessing.connection
import os
import re
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from tflite_eq.delegate import library
from tflite_eq.delegate.claims import Claim, captured_stderr, parse_claims, pass_on_warnings
from tflite_eq.delegate.inputs import ordinary_inputs, values_inside
from tflite_eq.delegate.peer import peer_instructions
from tflite_eq.delegate.verdict import NOTHING_TO_COMPARE, Speed, Verdict, judge, pattern_of
from tflite_eq.delegate.work import check_computes_with_codes, convolutions
from tflite_eq.errors import BackendError, TfliteEqError
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Interpreter, Kernels, Runtime

Array = npt.NDArray[Any]

Options = Mapping[str, library.Option]

# The library writes one such line per claimed node when the interpreter is gone.
_PROFILE = re.compile(r"^tflite_eq: node +(\d+) .* ([\d.]+) ms x \d+$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Times:
    """Milliseconds over all measured runs."""

    min: float
    median: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Times:
        """Summarize measurements."""
        return cls(round(min(values), 4), round(statistics.median(values), 4))


@dataclasses.dataclass(frozen=True)
class Side:
    """A model's figures with the delegate or without it.

    Attributes:
        times: Milliseconds of one inference.
        first_run_ms: From making the interpreter to the first result.
        memory_mib: What the process grew by until then.
    """

    times: Times
    first_run_ms: float
    memory_mib: float


@dataclasses.dataclass(frozen=True)
class LayerTimes:
    """One delegated layer.

    Attributes:
        name: Output tensor name.
        kernel: The delegate's kernel and instruction set.
        without: The layer alone, by the runtime's own kernels.
        delegated: The layer alone, by the delegate.
        in_network_ms: Its mean time inside the whole model, by the delegate.
        verdict: The layer alone, in pairs.
    """

    name: str
    kernel: str
    without: Times
    delegated: Times
    in_network_ms: float | None
    verdict: Verdict


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A model on one runtime.

    Attributes:
        runtime: Name and version.
        peer: What the runtime's own int8 kernels compute with.
        threads: Threads on either side.
        convolutions: CONV_2D operators in the model.
        claimed: How many of them the delegate runs.
        without: The runtime alone. ``None``, as ``delegated``, if nothing is claimed: both sides
            are the same, and a measured difference would be noise.
        delegated: With the delegate.
        layers: The delegated layers.
        verdict: The whole model, in pairs.
        leave: Where the verdict is slower, the value of the option ``leave`` that leaves the layers
            responsible: those that are slower one by one, or all if none is. Else empty.
    """

    runtime: str
    peer: str
    threads: int
    convolutions: int
    claimed: int
    without: Side | None
    delegated: Side | None
    layers: list[LayerTimes]
    verdict: Verdict
    leave: str


def benchmark(
    model: bytes,
    runtime: Runtime,
    *,
    threads: int = 1,
    warmup_runs: int = 3,
    runs: int = 50,
    options: Options | None = None,
    origin: str = "model",
    sample: Sequence[Array] | None = None,
) -> Benchmark:
    """Time a model with the delegate and without, each in a process of its own.

    Args:
        model: A quantized ``.tflite``.
        runtime: The runtime; its default kernels (XNNPACK) run what the delegate leaves.
        threads: Threads on either side.
        warmup_runs: Runs that are not counted.
        runs: Runs that are.
        options: More options for the delegate.
        origin: What to call the model in messages.
        sample: What to run it on, values of the inputs' types in the model's order; ``None`` takes
            random ones.

    Raises:
        TfliteEqError: The model, the library, an option or the runtime is at fault.
    """
    graph = Graph.from_bytes(model, origin)  # what is wrong with it is no matter for the processes
    check_computes_with_codes(graph)
    options = {**(options or {}), "num_threads": threads}
    library.check_options(options)
    if not convolutions(graph):
        peer = peer_instructions(runtime.name, runtime.version)
        return _nothing_claimed((runtime.description, peer, threads, 0, 0))
    common = (model, sample, runtime, threads)
    with contextlib.ExitStack() as stack:
        # First the one that tells whether there is anything to compare with.
        delegated = stack.enter_context(_Contender(_serve_model, *common, options))
        claims: list[Claim] = delegated.greeting[2]
        claimed = [claim for claim in claims if claim.claimed]
        found = (runtime.description, delegated.greeting[3], threads, len(claims), len(claimed))
        if not claimed:
            return _nothing_claimed(found)
        without = stack.enter_context(_Contender(_serve_model, *common, None))
        contenders = (without, delegated)
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(warmup_runs + runs):
            # Either is first as often: who follows finds caches and clocks as the other left them.
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                elapsed = contenders[side].ask()
                if number >= warmup_runs:
                    times[side].append(elapsed)
        sides = [Side(Times.of(t), *c.greeting[:2]) for c, t in zip(contenders, times)]
        profile: dict[int, float] = delegated.ask("profile")
    layers = _time_layers(model, sample, claimed, profile, runtime, options, warmup_runs, runs)
    verdict = judge(*times)
    leave = ""
    if verdict.speed == Speed.SLOWER.value:
        leave = _responsible(layers)
    return Benchmark(*found, sides[0], sides[1], layers, verdict, leave)


def _nothing_claimed(found: tuple[str, str, int, int, int]) -> Benchmark:
    return Benchmark(*found, None, None, [], NOTHING_TO_COMPARE, "")


def _responsible(layers: Sequence[LayerTimes]) -> str:
    """The option's value for the layers to leave so that a model is no slower.

    Layers that are slower by themselves; where none is, switching between delegates costs more than
    all save.
    """
    slower = [layer.name for layer in layers if layer.verdict.speed == Speed.SLOWER.value]
    pattern = pattern_of(slower or [layer.name for layer in layers])
    return pattern if len(pattern) <= library.LONGEST_PATTERN else ".*"


def _time_layers(
    model: bytes,
    sample: Sequence[Array] | None,
    claims: Sequence[Claim],
    profile: Mapping[int, float],
    runtime: Runtime,
    options: Options,
    warmup_runs: int,
    runs: int,
) -> list[LayerTimes]:
    if not claims:
        return []
    with _Contender(_serve_layers, model, sample, claims, runtime, options) as layers:
        rounds = [layers.ask() for _ in range(warmup_runs + runs)][warmup_runs:]
    return [
        LayerTimes(
            claim.name,
            claim.reason.split(":")[0],
            Times.of([r[index][0] for r in rounds]),
            Times.of([r[index][1] for r in rounds]),
            profile.get(claim.operator),
            judge([r[index][0] for r in rounds], [r[index][1] for r in rounds]),
        )
        for index, claim in enumerate(claims)
    ]


class _Contender:
    """A process that measures whenever it is asked to."""

    def __init__(self, serve: Any, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_guard, args=(serve, arguments, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.greeting = self._receive()

    def ask(self, question: str = "run") -> Any:
        """Have it measure once and wait for the answer."""
        self._pipe.send(question)
        return self._receive()

    def _receive(self) -> Any:
        try:
            answer = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise BackendError(
                f"the benchmark's process ended with code {self._process.exitcode}: native code "
                "crashed; convert and quantize the model again, or name another installed runtime "
                "with --runtime"
            ) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __enter__(self) -> _Contender:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()  # its next recv fails, and it ends
        self._process.join()


def _guard(serve: Any, arguments: Any, pipe: multiprocessing.connection.Connection) -> None:
    """Hands errors to the parent, which shows them as its own."""
    try:
        serve(*arguments, pipe)
    except (EOFError, BrokenPipeError):
        return
    except TfliteEqError as error:
        pipe.send(error)
    except (RuntimeError, ValueError) as error:
        pipe.send(BackendError(f"the runtime fails on the model: {error}"))


def _serve_model(
    model: bytes,
    sample: Sequence[Array] | None,
    runtime: Runtime,
    threads: int,
    options: Options | None,
    pipe: multiprocessing.connection.Connection,
) -> None:
    graph = Graph.from_bytes(model)
    inputs = ordinary_inputs(graph) if sample is None else sample
    before = _resident_mib()
    start = time.perf_counter()
    with captured_stderr() as log:
        delegates = []
        if options is not None:
            delegates = [library.load(runtime, **{**options, "log_level": 2, "profile": True})]
        interpreter = runtime.interpreter(model, Kernels.DEFAULT, threads, delegates)
        interpreter.allocate_tensors()
        _feed(interpreter, inputs)
        interpreter.invoke()
    first = (time.perf_counter() - start) * 1e3
    grown = _resident_mib() - before
    pass_on_warnings(log.getvalue())
    claims = parse_claims(log.getvalue(), graph)
    peer = peer_instructions(runtime.name, runtime.version)
    pipe.send((round(first, 2), round(grown, 1), claims, peer))
    while pipe.recv() == "run":
        pipe.send(_timed(interpreter))
    with captured_stderr() as log:
        del interpreter, delegates
        gc.collect()
    found = _PROFILE.findall(log.getvalue())
    pipe.send({int(node): float(milliseconds) for node, milliseconds in found})
    pipe.recv()


def _serve_layers(
    model: bytes,
    sample: Sequence[Array] | None,
    claims: Sequence[Claim],
    runtime: Runtime,
    options: Options,
    pipe: multiprocessing.connection.Connection,
) -> None:
    graph = Graph.from_bytes(model)
    operators = [graph.operators[claim.operator] for claim in claims]
    pairs = []
    with captured_stderr():
        read = [operator.inputs[0] for operator in operators]
        values = values_inside(graph, read, runtime, sample)
        for operator, claim in zip(operators, claims):
            layer, _ = edit.single_operator_model(graph, operator)
            # By name: the delegate might not take the layer if it were alone.
            forced = {**options, "kernel": claim.reason.split()[0], "log_level": 0, "leave": ""}
            pair = []
            for delegates in ([], [library.load(runtime, **forced)]):
                interpreter = runtime.interpreter(
                    layer, Kernels.DEFAULT, int(options["num_threads"]), delegates
                )
                interpreter.allocate_tensors()
                _feed(interpreter, [values[operator.inputs[0]]])
                pair.append(interpreter)
            pairs.append(pair)
    pipe.send(None)
    rounds = 0
    while pipe.recv() == "run":
        # All layers in turn: each finds the caches as another layer left them.
        rounds += 1
        turn = slice(None, None, 1 if rounds % 2 else -1)
        pipe.send([[_timed(interpreter) for interpreter in pair[turn]][turn] for pair in pairs])


def _timed(interpreter: Interpreter) -> float:
    start = time.perf_counter()
    interpreter.invoke()
    return (time.perf_counter() - start) * 1e3


def _feed(interpreter: Interpreter, inputs: Sequence[Any]) -> None:
    for detail, value in zip(interpreter.get_input_details(), inputs):
        interpreter.set_tensor(detail["index"], value)


def _resident_mib() -> float:
    """Resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        pages = int(stream.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
