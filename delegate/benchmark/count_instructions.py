"""Counts the arm64 instructions that one inference executes, with the delegate and without it.

Both sides run the same model on the same runtime with XNNPACK on, one thread, on the same emulated
CPU. Wall time under emulation says nothing about speed; what instruction counts say and do not say
is in docs/arm64.md. From the top of the checkout, after ``make setup-arm64`` and
``bazel build --config=arm64 //delegate:libtflite_eq_delegate.so``:

    python -m delegate.benchmark.count_instructions --model resnet18 --model squeezenet1_1_gluon

A model is one of the shapes of compare_models.py (resnet18, vgg16), one of the shared models by
name, or an int8 ``.tflite``. The first two are counted as INT8 and as INT7: compare_models.py's
version, and for shared models what ``--bits auto --target`` makes for the CPU. With --layers every
convolution is also cut out and counted alone.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import functools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from delegate.benchmark import compare_models
from tests import shared_data
from tests.arm64 import cases
from tflite_eq.delegate.claims import Claim, insisting
from tflite_eq.delegate.inputs import ordinary_inputs, values_inside
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.quiet import quiet
from tflite_eq.runtimes import preferred_runtime
from tools.arm64.counting import Count, Inference, count
from tools.arm64.emulation import CPUS, RUNTIMES, Cpu, Emulation, EmulationError

ROOT = Path(__file__).resolve().parents[2]
SHAPES = ("resnet18", "vgg16")


@dataclasses.dataclass(frozen=True)
class Layer:
    """A convolution, cut out and counted alone.

    Attributes:
        name: Output tensor name.
        kernel: The delegate's kernel and instruction set, or why it leaves the layer.
        shape: Input height, width and channels, output channels, filter height and width, stride.
        without: Instructions of the runtime alone.
        delegated: Instructions with the delegate; ``None`` where it leaves the layer.
    """

    name: str
    kernel: str
    shape: list[int]
    without: int
    delegated: int | None


@dataclasses.dataclass(frozen=True)
class Row:
    """One model on one CPU.

    Attributes:
        model: Its name.
        bits: ``INT8``, ``INT7``, or empty for a given ``.tflite``.
        cpu: The emulated CPU.
        runtime: Name of the runtime.
        operators: Operators of the model.
        claimed: How many of them the delegate runs.
        without: What the runtime alone executes.
        delegated: The same with the delegate.
        layers: The convolutions one by one, if asked for.
    """

    model: str
    bits: str
    cpu: str
    runtime: str
    operators: int
    claimed: int
    without: Count
    delegated: Count
    layers: list[Layer]

    @property
    def ratio(self) -> float:
        """How many times fewer instructions with the delegate."""
        return self.without.total / self.delegated.total

    def __str__(self) -> str:
        return (
            f"{self.model:24s} {self.bits:4s}  {self.cpu:11s} {self.runtime:14s} "
            f"{self.claimed:3d} of {self.operators:3d} operators  "
            f"{self.without.total / 1e6:9.2f} M -> {self.delegated.total / 1e6:9.2f} M  "
            f"{self.ratio:.3f}x fewer"
        )


def main() -> int:
    """Count, print a line for each model and CPU, write JSON."""
    arguments = _parser().parse_args()
    try:
        emulation = Emulation.find()
    except EmulationError as error:
        sys.exit(f"error: {error}")
    if not arguments.delegate.is_file():
        sys.exit(
            f"error: {arguments.delegate} is missing: "
            "bazel build --config=arm64 //delegate:libtflite_eq_delegate.so"
        )
    counter = functools.partial(
        _count_model,
        emulation,
        arguments.runtime,
        arguments.delegate.resolve(),
        dict(arguments.option),
        arguments.layers,
    )
    for name in arguments.model:
        if not (name in SHAPES or name.endswith(".tflite") or name in _shared_models()):
            known = ", ".join([*SHAPES, *_shared_models()])
            sys.exit(f"error: {name} is no .tflite and none of {known}")
    cpus = [cpu for cpu in CPUS if cpu.name in (arguments.cpu or [cpu.name])]
    rows = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for name in arguments.model:
            for row in pool.map(lambda described: counter(*described), _versions(name, cpus)):
                rows.append(row)
                print(row, flush=True)
                for layer in row.layers:
                    print(_layer_line(layer), flush=True)
            if arguments.json:
                text = json.dumps([dataclasses.asdict(row) for row in rows], indent=1)
                arguments.json.write_text(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--cpu", action="append", choices=[cpu.name for cpu in CPUS])
    parser.add_argument("--runtime", choices=RUNTIMES, default="ai-edge-litert")
    parser.add_argument("--layers", action="store_true")
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
    library = ROOT / "bazel-arm64-bin/delegate/libtflite_eq_delegate.so"
    parser.add_argument("--delegate", type=Path, default=library)
    return parser


def _versions(name: str, cpus: list[Cpu]) -> Iterator[tuple[str, str, Cpu, bytes]]:
    """Name, bits, CPU and flatbuffer of every version of a model."""
    for cpu in cpus:
        if name in SHAPES:
            yield name, "INT8", cpu, _shape(name, int7=False)
            yield name, "INT7", cpu, _shape(name, int7=True)
        elif name.endswith(".tflite"):
            yield Path(name).stem, "", cpu, Path(name).read_bytes()
        else:
            # Quickly quantized: how well does not matter here.
            for bits, kind in (("INT8", "int8"), ("INT7", "auto")):
                case = cases.Case(cpu, name, kind)
                yield name, bits, cpu, cases.quantized(case, cases.Selection.CHOSEN).model


def _shared_models() -> list[str]:
    return list(shared_data.models()) if shared_data.folder() else []


@functools.cache
def _shape(name: str, *, int7: bool) -> bytes:
    if int7:
        return compare_models.to_int7(_shape(name, int7=False))
    with quiet():
        return compare_models.load(name)


def _count_model(
    emulation: Emulation,
    runtime: str,
    library: Path,
    options: dict[str, str],
    layers: bool,
    name: str,
    bits: str,
    cpu: Cpu,
    model: bytes,
) -> Row:
    (values,) = ordinary_inputs(Graph.from_bytes(model))
    counter = functools.partial(count, emulation, cpu, runtime, library)
    # The large ones take long enough under emulation once.
    inference = Inference(model, values, warm_up=name not in SHAPES)
    both = [dataclasses.replace(inference, options=chosen) for chosen in (None, options)]
    without, delegated = counter(both)
    graph, claims = Graph.from_bytes(model), delegated.claims
    convolutions = [claim for claim in claims if claim.kind == "CONV_2D"]
    return Row(
        name,
        bits,
        cpu.name,
        runtime,
        len(graph.operators),
        sum(claim.claimed for claim in claims),
        without,
        delegated,
        _count_layers(counter, options, graph, convolutions) if layers else [],
    )


def _count_layers(
    counter: Callable[[list[Inference]], list[Count]],
    options: dict[str, str],
    graph: Graph,
    claims: list[Claim],
) -> list[Layer]:
    operators = [graph.operators[claim.operator] for claim in claims]
    inputs = values_inside(graph, [o.inputs[0] for o in operators], preferred_runtime())
    inferences = []
    for claim, operator in zip(claims, operators):
        alone, _ = edit.single_operator_model(graph, operator)
        inferences.append(Inference(alone, inputs[operator.inputs[0]]))
        if claim.claimed:
            forced = {**options, **insisting(claim.kernel)}
            inferences.append(dataclasses.replace(inferences[-1], options=forced))
    totals = iter([count.total for count in counter(inferences)])
    return [
        Layer(
            claim.name,
            claim.reason.split(":")[0] if claim.claimed else claim.reason,
            _geometry(graph, operator),
            next(totals),
            next(totals) if claim.claimed else None,
        )
        for claim, operator in zip(claims, operators)
    ]


def _geometry(graph: Graph, operator: Any) -> list[int]:
    _, height, width, channels = graph.tensors[operator.inputs[0]].shape
    outputs, filter_height, filter_width, _ = graph.tensors[operator.inputs[1]].shape
    stride = operator.options.strideH
    return [int(n) for n in (height, width, channels, outputs, filter_height, filter_width, stride)]


def _layer_line(layer: Layer) -> str:
    height, width, channels, outputs, filter_height, filter_width, stride = layer.shape
    shape = f"{height}x{width} {channels}->{outputs} {filter_height}x{filter_width}/{stride}"
    counts = f"{layer.without / 1e6:8.2f} M"
    if layer.delegated is not None:
        ratio = layer.without / layer.delegated
        counts += f" -> {layer.delegated / 1e6:8.2f} M  {ratio:.2f}x"
    return f"  {shape:26s} {counts:32s}  {layer.kernel}"


if __name__ == "__main__":
    sys.exit(main())
