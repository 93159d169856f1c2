"""A model with and without the delegate, in turns: a slow spell of the machine hits both alike."""

from __future__ import annotations

import collections
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
from tflite_eq.delegate.claims import (
    Claim,
    captured_stderr,
    insisting,
    parse_claims,
    pass_on_warnings,
)
from tflite_eq.delegate.inputs import ordinary_inputs, values_inside
from tflite_eq.delegate.peer import peer_instructions
from tflite_eq.delegate.verdict import NOTHING_TO_COMPARE, Speed, Verdict, judge, pattern_of
from tflite_eq.delegate.work import check_computes_with_codes, known_operators
from tflite_eq.errors import BackendError, TfliteEqError
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, Runtime
from tflite_eq.session import Session

Array = npt.NDArray[Any]

Options = Mapping[str, library.Option]

# The library writes one such line per claimed node when the interpreter is gone: its index,
# operator, output's shape, filter, the kernel if it has a name, instruction set, time, and whether
# it runs with its neighbours a few rows at a time.
_PROFILE = re.compile(
    r"^tflite_eq: node +(\d+) +\S+ +\[.*?\] +\d+x\d+ +(?:(\S+) +)?(\S+) +([\d.]+) ms x \d+"
    r"(?:  in stripes of \d+ rows)?$",
    re.MULTILINE,
)
_MOST_LAYERS = 10  # to cut out; the others hardly matter, and hundreds would take minutes
_OTHERS_FALL_ASLEEP = 0.06  # seconds


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
class KindTimes:
    """All operators of one kind that the delegate runs.

    Attributes:
        kind: The operator's name in the schema.
        operators: How many the model has.
        claimed: How many of them the delegate runs, at least one.
        in_network_ms: Their mean time together inside the whole model, by the delegate.
    """

    kind: str
    operators: int
    claimed: int
    in_network_ms: float


@dataclasses.dataclass(frozen=True)
class LayerTimes:
    """One delegated operator.

    Attributes:
        name: Output tensor name.
        kind: The operator's name in the schema.
        kernel: The delegate's kernel, if it has a name, and instruction set. ``lines`` and
            ``table`` are functions of codes; of an operator that is run with others before it the
            time in the network is that of all of them, the others that of the operator alone.
        without: The operator alone, by the runtime's own kernels.
        delegated: The operator alone, by the delegate.
        in_network_ms: Its mean time inside the whole model, by the delegate.
        verdict: The operator alone, in pairs.
    """

    name: str
    kind: str
    kernel: str
    without: Times
    delegated: Times
    in_network_ms: float
    verdict: Verdict


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A model on one runtime.

    Attributes:
        runtime: Name and version.
        peer: What the runtime's own int8 kernels compute with.
        threads: Threads on either side.
        operators: Operators in the model.
        known: How many are of kinds that the delegate runs.
        claimed: How many of them it runs.
        without: The runtime alone. ``None``, as ``delegated``, if nothing is claimed: both sides
            are the same, and a measured difference would be noise.
        delegated: With the delegate.
        kinds: The delegated operators by kind, those that take most first.
        layers: Those of them that take most by themselves, ten at most, in the model's order.
        verdict: The whole model, in pairs.
        leave: Where the verdict is slower, the value of the option ``leave`` that leaves the layers
            responsible: those that are slower one by one, or all if none is. Else empty.
    """

    runtime: str
    peer: str
    threads: int
    operators: int
    known: int
    claimed: int
    without: Side | None
    delegated: Side | None
    kinds: list[KindTimes]
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
    operators = len(graph.operators)
    if not known_operators(graph):
        peer = peer_instructions(runtime.name, runtime.version)
        return _nothing_claimed((runtime.description, peer, threads, operators, 0, 0))
    common = (model, sample, runtime, threads)
    with contextlib.ExitStack() as stack:
        # First the one that tells whether there is anything to compare with.
        delegated = stack.enter_context(Contender(serve_model, *common, options))
        claims: list[Claim] = delegated.greeting[2]
        claimed = [claim for claim in claims if claim.claimed]
        counts = (operators, len(claims), len(claimed))
        found = (runtime.description, delegated.greeting[3], threads, *counts)
        if not claimed:
            return _nothing_claimed(found)
        without = stack.enter_context(Contender(serve_model, *common, None))
        contenders = (without, delegated)
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(warmup_runs + runs):
            # Either is first as often: who follows finds caches and clocks as the other left them.
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                elapsed = contenders[side].ask()
                if number >= warmup_runs:
                    times[side].append(elapsed)
        sides = [Side(Times.of(t), *c.greeting[:2]) for c, t in zip(contenders, times)]
        profile: dict[int, _Profiled] = delegated.ask("profile")
    cut_out = [(claim, profile[claim.operator]) for claim in slowest(claimed, profile)]
    layers = _time_layers(model, sample, cut_out, runtime, options, warmup_runs, runs)
    verdict = judge(*times)
    leave = ""
    if verdict.speed == Speed.SLOWER.value:
        leave = _responsible(layers, claimed)
    kinds = _by_kind(graph, claimed, profile)
    return Benchmark(*found, sides[0], sides[1], kinds, layers, verdict, leave)


def _nothing_claimed(found: tuple[str, str, int, int, int, int]) -> Benchmark:
    return Benchmark(*found, None, None, [], [], NOTHING_TO_COMPARE, "")


@dataclasses.dataclass(frozen=True)
class _Profiled:
    """What the library says of one node that it ran; ``kernel`` is empty where it has no name."""

    kernel: str
    isa: str
    milliseconds: float

    def __str__(self) -> str:
        return f"{self.kernel} on {self.isa}" if self.kernel else self.isa


def parse_profile(log: str) -> dict[int, _Profiled]:
    """Times by node, from what the library wrote to stderr with the option ``profile``."""
    return {
        int(node): _Profiled(kernel, isa, float(milliseconds))
        for node, kernel, isa, milliseconds in _PROFILE.findall(log)
    }


def slowest(claimed: Sequence[Claim], profile: Mapping[int, _Profiled]) -> list[Claim]:
    """The operators that take most time inside the network, in the model's order.

    Without those that take none: a new shape of the same values.
    """
    timed = [c for c in claimed if c.operator in profile and profile[c.operator].milliseconds > 0]
    timed.sort(key=lambda claim: -profile[claim.operator].milliseconds)
    return sorted(timed[:_MOST_LAYERS], key=lambda claim: claim.operator)


def _by_kind(
    graph: Graph, claimed: Sequence[Claim], profile: Mapping[int, _Profiled]
) -> list[KindTimes]:
    all_kinds = collections.Counter(operator.kind for operator in graph.operators)
    spent: dict[str, list[float]] = {}
    for claim in claimed:
        found = profile.get(claim.operator)
        spent.setdefault(claim.kind, []).append(found.milliseconds if found else 0.0)
    kinds = [
        KindTimes(kind, all_kinds[kind], len(times), round(sum(times), 4))
        for kind, times in spent.items()
    ]
    return sorted(kinds, key=lambda kind: -kind.in_network_ms)


def _responsible(layers: Sequence[LayerTimes], claimed: Sequence[Claim]) -> str:
    """The option's value for the layers to leave so that a model is no slower.

    Layers that are slower by themselves; where none is, switching between delegates costs more than
    all save.
    """
    slower = [layer.name for layer in layers if layer.verdict.speed == Speed.SLOWER.value]
    pattern = pattern_of(slower or [claim.name for claim in claimed])
    return pattern if len(pattern) <= library.LONGEST_PATTERN else ".*"


def _time_layers(
    model: bytes,
    sample: Sequence[Array] | None,
    layers: Sequence[tuple[Claim, _Profiled]],
    runtime: Runtime,
    options: Options,
    warmup_runs: int,
    runs: int,
) -> list[LayerTimes]:
    if not layers:
        return []
    with Contender(_serve_layers, model, sample, layers, runtime, options) as contender:
        rounds = [contender.ask() for _ in range(warmup_runs + runs)][warmup_runs:]
    return [
        LayerTimes(
            claim.name,
            claim.kind,
            str(profiled),
            Times.of([r[index][0] for r in rounds]),
            Times.of([r[index][1] for r in rounds]),
            profiled.milliseconds,
            judge([r[index][0] for r in rounds], [r[index][1] for r in rounds]),
        )
        for index, (claim, profiled) in enumerate(layers)
    ]


class Contender:
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

    def __enter__(self) -> Contender:
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


def serve_model(
    model: bytes,
    sample: Sequence[Array] | None,
    runtime: Runtime,
    threads: int,
    options: Options | None,
    pipe: multiprocessing.connection.Connection,
) -> None:
    """Run in a ``Contender``: one inference of a model for every question.

    Sends milliseconds up to the first result, MiB that the process grew by until then, the
    delegate's claims and what the runtime's own kernels compute with; then milliseconds for every
    ``run``, and at any other question the delegate's profile, after which it ends.

    Args:
        model: A ``.tflite``.
        sample: What to run it on; random values if ``None``.
        runtime: The runtime.
        threads: Its threads.
        options: The delegate's; ``None`` for the runtime alone.
        pipe: To the parent.
    """
    graph = Graph.from_bytes(model)
    inputs = ordinary_inputs(graph) if sample is None else sample
    before = _resident_mib()
    with captured_stderr() as log:
        runtime.load()  # takes seconds in Python, unlike in an application
        start = time.perf_counter()
        delegates = []
        if options is not None:
            delegates = [library.load(runtime, **{**options, "log_level": 2, "profile": True})]
        session = Session(runtime.interpreter(model, Kernels.DEFAULT, threads, delegates))
        session.allocate()
        session.feed(inputs)
        session.invoke()
    first = (time.perf_counter() - start) * 1e3
    grown = _resident_mib() - before
    pass_on_warnings(log.getvalue())
    claims = parse_claims(log.getvalue(), graph)
    peer = peer_instructions(runtime.name, runtime.version)
    pipe.send((round(first, 2), round(grown, 1), claims, peer))
    while pipe.recv() == "run":
        if threads > 1:
            _take_the_cores(session)
        pipe.send(_timed(session))
    with captured_stderr() as log:
        del session, delegates
        gc.collect()
    pipe.send(parse_profile(log.getvalue()))
    pipe.recv()


def _serve_layers(
    model: bytes,
    sample: Sequence[Array] | None,
    layers: Sequence[tuple[Claim, _Profiled]],
    runtime: Runtime,
    options: Options,
    pipe: multiprocessing.connection.Connection,
) -> None:
    graph = Graph.from_bytes(model)
    pairs = []
    with captured_stderr():
        cut_out = [
            edit.single_operator_model(graph, graph.operators[claim.operator])
            for claim, _ in layers
        ]
        read = [index for _, inputs in cut_out for index in inputs]
        values = values_inside(graph, read, runtime, sample)
        for (layer, inputs), (_, profiled) in zip(cut_out, layers):
            forced = {**options, **insisting(profiled.kernel), "log_level": 0, "leave": ""}
            pair = []
            for delegates in ([], [library.load(runtime, **forced)]):
                threads = int(options["num_threads"])
                session = Session(runtime.interpreter(layer, Kernels.DEFAULT, threads, delegates))
                session.allocate()
                session.feed([values[index] for index in inputs])
                pair.append(session)
            pairs.append(pair)
    pipe.send(None)
    rounds = 0
    while pipe.recv() == "run":
        # All layers in turn: each finds the caches as another layer left them.
        rounds += 1
        turn = slice(None, None, 1 if rounds % 2 else -1)
        pipe.send([[_timed(session) for session in pair[turn]][turn] for pair in pairs])


def _take_the_cores(session: Session) -> None:
    """Wait until the other side's threads are asleep, and wake the own ones.

    XNNPACK's look for work on their cores for 40 ms, the delegate's for half of one: whoever
    followed at once would share its cores with them.
    """
    time.sleep(_OTHERS_FALL_ASLEEP)
    session.invoke()


def _timed(session: Session) -> float:
    start = time.perf_counter()
    session.invoke()
    return (time.perf_counter() - start) * 1e3


def _resident_mib() -> float:
    """Resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        pages = int(stream.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
