"""Estimates the cycles of an inference on arm64 cores, without having one.

QEMU counts how often each block of code runs and what misses simulated caches (tools/arm64), LLVM
prices the blocks for the core, and published latencies price the misses; docs/arm64.md says how
good that is. Counted are the runtime alone with XNNPACK, the same with the delegate, and with
--rival other runtimes on the same network; one thread, the second inference. From the top of the
checkout, after ``make setup-arm64`` and
``bazel build --config=arm64 //delegate:libtflite_eq_delegate.so``:

    python -m delegate.benchmark.cycles --model resnet18 --cpu a53 --cpu a76 --rival ncnn

A model is one of the shapes of networks.py, one of the shared models by name, or an int8
``.tflite``. The first two are counted as INT8 and as INT7: networks.py's version, and for
shared models what ``--bits auto --target`` makes for the CPU. With --layers every convolution is
also cut out and counted alone; with --hottest the code that takes the most cycles is named.
--calibrate runs ncnn on networks whose milliseconds on a board are published instead.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import functools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from delegate.benchmark import networks
from tests import shared_data
from tests.arm64 import cases
from tflite_eq.delegate.claims import Claim, insisting
from tflite_eq.delegate.inputs import ordinary_inputs, values_inside
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import preferred_runtime
from tools.arm64.cores import CORES, Core
from tools.arm64.counting import RIVALS, Count, Inference, count
from tools.arm64.emulation import RUNTIMES, Emulation, EmulationError
from tools.arm64.estimate import Cycles, estimate
from tools.arm64.hottest import Hot, hottest
from tools.arm64.llvm import VERSION, Llvm, LlvmError
from tools.arm64.rivals.network import RivalError, network_of
from tools.arm64.rivals.published import NCNN_MILLISECONDS
from tools.arm64.rivals.writers import WRITERS

ROOT = Path(__file__).resolve().parents[2]
SHAPES = tuple(networks.SHAPES)


@dataclasses.dataclass(frozen=True)
class Run:
    """One inference of one runtime.

    Attributes:
        name: The runtime and what it ran.
        instructions: Executed instructions.
        cycles: Estimated cycles.
        milliseconds: The same at the board's clock.
        claims: The delegate's decision on every operator that it knows; empty without it.
        hottest: The code with the most cycles, as many as were asked for.
    """

    name: str
    instructions: int
    cycles: Cycles
    milliseconds: float
    claims: list[Claim]
    hottest: list[Hot]


@dataclasses.dataclass(frozen=True)
class Layer:
    """A convolution, cut out and counted alone.

    Attributes:
        name: Output tensor name.
        kernel: The delegate's kernel and instruction set, or why it leaves the layer.
        shape: Input height, width and channels, output channels, filter height and width, stride.
        without: Cycles of the runtime alone.
        delegated: Cycles with the delegate; ``None`` where it leaves the layer.
    """

    name: str
    kernel: str
    shape: list[int]
    without: float
    delegated: float | None


@dataclasses.dataclass(frozen=True)
class Row:
    """One model on one core.

    Attributes:
        model: Its name.
        bits: ``INT8``, ``INT7``, or empty for a given ``.tflite``.
        cpu: The core's name.
        runs: The runtime alone first, then with the delegate, then rivals.
        layers: The convolutions one by one, if asked for.
    """

    model: str
    bits: str
    cpu: str
    runs: list[Run]
    layers: list[Layer]


@dataclasses.dataclass(frozen=True)
class Meter:
    """Counts inferences, and estimates their cycles."""

    emulation: Emulation
    llvm: Llvm
    library: Path
    hottest: int = 0

    def runs(self, core: Core, runtime: str, inferences: dict[str, Inference]) -> list[Run]:
        """What inferences, by name, take in one process of a runtime."""
        counts = count(
            self.emulation,
            core.cpu,
            runtime,
            self.library,
            list(inferences.values()),
            core.caches,
        )
        return [self._run(core, name, counted) for name, counted in zip(inferences, counts)]

    def _run(self, core: Core, name: str, counted: Count) -> Run:
        cycles = estimate(core, self.llvm, counted.blocks)
        total = sum(cycles, Cycles())
        hot = hottest(counted.blocks, cycles, counted.mappings, self.llvm, self.hottest)
        milliseconds = total.total / core.gigahertz / 1e6
        return Run(name, counted.total, total, milliseconds, counted.claims, hot)


def main() -> int:
    """Estimate, print a table for each model and core, write JSON."""
    arguments = _parser().parse_args()
    try:
        meter = Meter(
            Emulation.find(), Llvm(arguments.llvm), arguments.delegate.resolve(), arguments.hottest
        )
        if arguments.calibrate:
            return _calibrate(meter, arguments.cpu or list(NCNN_MILLISECONDS))
        return _compare(meter, arguments)
    except (EmulationError, LlvmError, RivalError) as error:
        sys.exit(f"error: {error}")


def _compare(meter: Meter, arguments: argparse.Namespace) -> int:
    if not arguments.model:
        sys.exit(f"error: nothing to count: --model with one of {', '.join(_known())}")
    if not meter.library.is_file():
        sys.exit(
            f"error: {meter.library} is missing: "
            "bazel build --config=arm64 //delegate:libtflite_eq_delegate.so"
        )
    for name in arguments.model:
        if not (name.endswith(".tflite") or name in _known()):
            sys.exit(f"error: {name} is no .tflite and none of {', '.join(_known())}")
        if name.endswith(".tflite") and not Path(name).is_file():
            sys.exit(f"error: {name}: no such file")
    rows = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for name in arguments.model:
            versions = list(_versions(name, arguments.cpu or list(CORES)))
            for row in pool.map(lambda version: _row(meter, arguments, *version), versions):
                rows.append(row)
                print(_table(row), flush=True)
                if arguments.json:
                    text = json.dumps([dataclasses.asdict(row) for row in rows], indent=1)
                    arguments.json.write_text(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--cpu", action="append", choices=list(CORES), help="all by default")
    parser.add_argument("--runtime", choices=RUNTIMES, default="ai-edge-litert")
    parser.add_argument(
        "--rival", action="append", choices=RIVALS, default=[], help="count this one as well"
    )
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--hottest", type=int, default=0, metavar="N", help="pieces of code")
    parser.add_argument(
        "--calibrate", action="store_true", help="ncnn against its published milliseconds"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=lambda text: tuple(text.split("=", 1)),
        metavar="NAME=VALUE",
        help="an option of the delegate, e.g. kernel=winograd_f43",
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="emulations at a time")
    parser.add_argument("--llvm", default=VERSION, help="version of LLVM's programs")
    library = ROOT / "bazel-arm64-bin/delegate/libtflite_eq_delegate.so"
    parser.add_argument("--delegate", type=Path, default=library)
    return parser


def _known() -> list[str]:
    return [*SHAPES, *(shared_data.models() if shared_data.folder() else ())]


def _versions(name: str, cpus: Sequence[str]) -> Iterator[tuple[str, str, str, bytes]]:
    """Name, bits, core and flatbuffer of every version of a model."""
    for cpu in cpus:
        if name in SHAPES:
            yield name, "INT8", cpu, _shape(name, int7=False)
            yield name, "INT7", cpu, _shape(name, int7=True)
        elif name.endswith(".tflite"):
            yield Path(name).stem, "", cpu, Path(name).read_bytes()
        else:
            # Quickly quantized: how well does not matter here.
            for bits, kind in (("INT8", "int8"), ("INT7", "auto")):
                case = cases.Case(CORES[cpu].cpu, name, kind)
                yield name, bits, cpu, cases.quantized(case, cases.Selection.CHOSEN).model


@functools.cache
def _shape(name: str, *, int7: bool) -> bytes:
    if int7:
        return networks.to_int7(_shape(name, int7=False))
    return networks.load(name)


def _row(
    meter: Meter, arguments: argparse.Namespace, name: str, bits: str, cpu: str, model: bytes
) -> Row:
    runtime, options = arguments.runtime, dict(arguments.option)
    core = CORES[cpu]
    (values,) = ordinary_inputs(Graph.from_bytes(model))
    inference = Inference(model, values)
    runs = meter.runs(
        core,
        runtime,
        {runtime: inference, "delegate": dataclasses.replace(inference, options=options)},
    )
    convolutions = [claim for claim in runs[1].claims if claim.kind == "CONV_2D"]
    graph = Graph.from_bytes(model)
    found: list[Layer] = []
    if arguments.layers:
        found = _layers(meter, core, runtime, options, graph, convolutions)
    # To them INT7 is nothing else.
    for rival in arguments.rival if bits != "INT7" else ():
        runs += meter.runs(core, rival, _rival(rival, model))
    return Row(name, bits, cpu, runs, found)


def _rival(rival: str, model: bytes) -> dict[str, Inference]:
    """A model in a rival's format, in int8 and in float as far as it takes both."""
    network = network_of(model)
    values = np.random.default_rng(0).normal(size=network.shape).astype(np.float32)
    return {f"{rival} {kind}": write(network, values) for kind, write in WRITERS[rival].items()}


def _layers(
    meter: Meter,
    core: Core,
    runtime: str,
    options: dict[str, str],
    graph: Graph,
    claims: list[Claim],
) -> list[Layer]:
    operators = [graph.operators[claim.operator] for claim in claims]
    inputs = values_inside(graph, [o.inputs[0] for o in operators], preferred_runtime())
    inferences: dict[str, Inference] = {}
    for number, (claim, operator) in enumerate(zip(claims, operators)):
        alone, _ = edit.single_operator_model(graph, operator)
        inferences[f"{number}"] = Inference(alone, inputs[operator.inputs[0]])
        if claim.claimed:
            forced = {**options, **insisting(claim.kernel)}
            inferences[f"{number} delegate"] = dataclasses.replace(
                inferences[f"{number}"], options=forced
            )
    totals = {run.name: run.cycles.total for run in meter.runs(core, runtime, inferences)}
    return [
        Layer(
            claim.name,
            claim.reason.split(":")[0] if claim.claimed else claim.reason,
            _geometry(graph, operator),
            totals[f"{number}"],
            totals.get(f"{number} delegate"),
        )
        for number, (claim, operator) in enumerate(zip(claims, operators))
    ]


def _geometry(graph: Graph, operator: Any) -> list[int]:
    _, height, width, channels = graph.tensors[operator.inputs[0]].shape
    outputs, filter_height, filter_width, _ = graph.tensors[operator.inputs[1]].shape
    stride = operator.options.strideH
    return [int(n) for n in (height, width, channels, outputs, filter_height, filter_width, stride)]


def _table(row: Row) -> str:
    core = CORES[row.cpu]
    lines = [f"{row.model} {row.bits} on {core.cpu} at {core.gigahertz} GHz ({core.board})"]
    lines.append(
        f"  {'':26s} {'M instr.':>9s} {'M cycles':>9s} = {'compute':>8s} {'stream':>8s} "
        f"{'latency':>8s}  {'ms':>8s}  of the runtime alone"
    )
    for run in row.runs:
        parts = (run.cycles.compute, run.cycles.stream, run.cycles.latency)
        numbers = " ".join(f"{part / 1e6:8.2f}" for part in parts)
        name = run.name
        if run.claims:
            claimed = sum(claim.claimed for claim in run.claims)
            name = f"with the delegate ({claimed}/{len(run.claims)})"
        total = run.cycles.total
        lines.append(
            f"  {name:26s} {run.instructions / 1e6:9.2f} {total / 1e6:9.2f} = {numbers}  "
            f"{run.milliseconds:8.2f}  {total / row.runs[0].cycles.total:.3f}"
        )
        lines += [
            f"      {hot.cycles.total / total:6.1%}  {hot.place}: {hot.mnemonics}"
            for hot in run.hottest
        ]
    if core.error is not None:
        least, most = core.error
        lines.append(
            f"  published times of ncnn on the {core.board} are {1 / most:.2f} to {1 / least:.2f} "
            "of what is estimated for it"
        )
    return "\n".join([*lines, *map(_layer_line, row.layers)])


def _layer_line(layer: Layer) -> str:
    height, width, channels, outputs, filter_height, filter_width, stride = layer.shape
    shape = f"{height}x{width} {channels}->{outputs} {filter_height}x{filter_width}/{stride}"
    counts = f"{layer.without / 1e6:8.2f} M"
    if layer.delegated is not None:
        ratio = layer.without / layer.delegated
        counts += f" -> {layer.delegated / 1e6:8.2f} M  {ratio:.2f}x"
    return f"  {shape:26s} {counts:32s}  {layer.kernel}"


def _calibrate(meter: Meter, cpus: Sequence[str]) -> int:
    """Prints estimates beside what ncnn's authors and users measured."""
    for cpu in cpus:
        if cpu not in NCNN_MILLISECONDS:
            known = ", ".join(NCNN_MILLISECONDS)
            sys.exit(f"error: no published milliseconds for {cpu}; there are some for {known}")
        core, ratios = CORES[cpu], []
        print(f"ncnn on {core.cpu}: estimated ms, published ms ({core.board}), ratio", flush=True)
        for name, published in NCNN_MILLISECONDS[cpu].items():
            runs = meter.runs(core, "ncnn", _rival("ncnn", _shape(name, int7=False)))
            for run, measured in zip(runs, published):
                ratios.append(run.milliseconds / measured)
                kind = run.name.split()[-1]
                print(
                    f"  {name:14s} {kind:6s} {run.milliseconds:8.2f} {measured:8.2f}  "
                    f"{ratios[-1]:.2f}",
                    flush=True,
                )
        mean = float(np.exp(np.mean(np.log(ratios))))
        print(f"  {min(ratios):.2f} to {max(ratios):.2f}, geometric mean {mean:.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
