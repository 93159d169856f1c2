"""Measuring peers on models: what is missing, model by model."""

from __future__ import annotations

import dataclasses
import datetime
import os
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import results_file
from benchmarks.cases import Case, open_case
from benchmarks.peers import process
from benchmarks.peers.registry import Peer
from tests import shared_data
from tflite_eq.errors import TfliteEqError
from tflite_eq.evaluation.dispatch import available_cores
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph.model import Graph

Entry = dict[str, Any]

# Operators that meet float tensors in an int8 file, too.
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


@dataclasses.dataclass(frozen=True)
class Selection:
    """What a run is to measure.

    Attributes:
        models: Names of shared models.
        peers: The peers.
        remeasure: Whether to measure again what the file of results holds.
    """

    models: Sequence[str]
    peers: Sequence[Peer]
    remeasure: bool = False

    def missing(self, results: Collection[Entry], model: str) -> list[Peer]:
        """The peers to measure on one model."""
        done = {r["peer"] for r in results if r["model"] == model and not self.remeasure}
        has_conv3x3 = bool(shared_data.models()[model]["conv3x3s1"])
        wanted = [p for p in self.peers if p.name not in done]
        return [p for p in wanted if has_conv3x3 or not p.needs_conv3x3]


def run(selection: Selection, pythons: Mapping[str, Path], data: Path, output: Path) -> None:
    """Measure what the file of results does not hold, saving it after every model.

    Args:
        selection: What to measure.
        pythons: Interpreter by name of the environment.
        data: Folder of the shared data.
        output: The file of results.
    """
    for name in selection.models:
        results = results_file.load(output)
        wanted = selection.missing(results, name)
        if not wanted:
            continue
        measured = measure(open_case(name, data), wanted, pythons)
        results_file.save(output, merged(results, measured))


def merged(results: Sequence[Entry], measured: Sequence[Entry]) -> list[Entry]:
    """Results with new ones, which replace those of the same model and peer."""
    new = {(r["model"], r["peer"]): r for r in measured}
    kept = [new.pop((r["model"], r["peer"]), r) for r in results]
    return [*kept, *new.values()]


def measure(case: Case, peers: Sequence[Peer], pythons: Mapping[str, Path]) -> list[Entry]:
    """Quantize one model with several peers and evaluate what they wrote."""
    entries, models = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        float_model = Path(scratch) / "float.tflite"
        float_model.write_bytes(case.model)
        for peer in peers:
            entry = _circumstances(case, peer)
            try:
                done = _quantized(case, peer, pythons[peer.environment.name], float_model)
                entry.update(done.usage, versions=done.versions, bytes=len(done.model))
                entry["float_operators"] = float_operators(done.model)
                models[peer.name] = done.model
                print(f"{case.name}: {peer.name}: {done.usage}", flush=True)
            except TfliteEqError as error:
                entry["failed"] = str(error)
                print(f"{case.name}: {peer.name} failed: {error}", flush=True)
            entries.append(entry)
    figures = evaluated(case, models)
    return [{**entry, **figures.get(entry["peer"], {})} for entry in entries]


def _circumstances(case: Case, peer: Peer) -> Entry:
    """What a result says besides what was measured."""
    return {
        "model": case.name,
        "peer": peer.name,
        "samples": peer.samples,
        "cores": available_cores(),
        "load": round(os.getloadavg()[0], 1),
        "date": datetime.date.today().isoformat(),
    }


def _quantized(case: Case, peer: Peer, python: Path, float_model: Path) -> process.Run:
    """What a peer makes of a model."""
    with tempfile.TemporaryDirectory() as scratch:
        samples = Path(scratch) / "samples.npy"
        process.write_samples(case.calibration[: peer.samples], samples)
        source = float_model if peer.environment.takes_tflite else case.path
        return process.quantize(
            peer.environment, python, source, samples, peer.options, Path(scratch)
        )


def evaluated(case: Case, models: Mapping[str, bytes]) -> dict[str, Entry]:
    """Figures by peer; of a file that cannot be evaluated, why."""
    named = [NamedModel(name, data) for name, data in models.items()]
    if not named:
        return {}
    try:
        return dict(zip(models, case.compare(named)))
    except TfliteEqError as error:
        if len(named) == 1:
            return {named[0].name: {"failed": f"its file cannot be evaluated: {error}"}}
    # One of them cannot be: which is known only one by one.
    return {
        name: figures
        for one in named
        for name, figures in evaluated(case, {one.name: one.data}).items()
    }


def float_operators(model: bytes) -> dict[str, int]:
    """How many operators of each kind compute in float."""
    graph = Graph.from_bytes(model)
    return dict(
        Counter(
            operator.kind
            for operator in graph.operators
            if operator.kind not in _CONVERSIONS
            and any(i >= 0 and graph.tensors[i].is_float for i in operator.outputs)
        )
    )
