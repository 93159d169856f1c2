"""What is measured: every peer, its settings, and the environment it lives in."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from benchmarks.cases import MOST_SAMPLES, SAMPLES

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Environment:
    """An environment with one quantizer in it.

    Attributes:
        name: What ``--python`` calls it.
        runner: Its module in ``runners/``.
        python: Its interpreter, unless ``--python`` names another.
        target: What makes it.
        takes_tflite: Whether the quantizer wants the float ``.tflite`` and not the Keras model.
    """

    name: str
    runner: str
    python: Path
    target: str
    takes_tflite: bool = False


@dataclasses.dataclass(frozen=True)
class Peer:
    """A quantizer with its settings.

    Attributes:
        name: What ``--peer`` calls it.
        title: What the page calls it.
        environment: Where it runs.
        samples: How many calibration samples it gets.
        options: For its runner.
        ours: Whether it is not a peer but what peers are compared with.
        needs_conv3x3: Whether it differs from others only in 3x3 convolutions of stride 1.
    """

    name: str
    title: str
    environment: Environment
    samples: int = SAMPLES
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    ours: bool = False
    needs_conv3x3: bool = False


def _own(name: str) -> Path:
    """Where `make peers` makes an environment."""
    return REPOSITORY / f".venv-peer-{name}" / "bin" / "python"


_PROJECT = Path(sys.executable)

TENSORFLOW = Environment("tensorflow", "tensorflow_default", _PROJECT, "make setup")
LITERT = Environment("litert", "litert", _own("litert"), "make peers", takes_tflite=True)
SONY_MCT = Environment("sony-mct", "sony_mct", _own("sony-mct"), "make peers")
OURS = Environment("tflite-eq", "easyquant", _PROJECT, "make setup")

_LATTICE = {"preset": "default", "bits": "auto", "target": "armv8.2-dotprod"}

_ALL = (
    Peer("tflite", "TFLite default", TENSORFLOW),
    Peer(
        "litert-minmax",
        "LiteRT Quantizer, min-max",
        LITERT,
        options={"algorithm": "MIN_MAX_UNIFORM_QUANT"},
    ),
    Peer("litert-octav", "LiteRT Quantizer, OCTAV", LITERT, options={"algorithm": "OCTAV"}),
    Peer("litert-mse", "LiteRT Quantizer, MSE", LITERT, options={"algorithm": "MSE"}),
    Peer("sony-mct", "Sony MCT", SONY_MCT),
    Peer("sony-mct-uniform", "Sony MCT, uniform", SONY_MCT, options={"uniform": True}),
    Peer(
        "sony-mct-uniform-200",
        "Sony MCT, uniform, 200 images",
        SONY_MCT,
        samples=MOST_SAMPLES,
        options={"uniform": True},
    ),
    Peer("int8", "tflite_eq INT8", OURS, options={"preset": "default"}, ours=True),
    Peer(
        "best-int8",
        "tflite_eq INT8 best, 200 images",
        OURS,
        samples=MOST_SAMPLES,
        options={"preset": "best"},
        ours=True,
    ),
    Peer("int7", "tflite_eq INT7", OURS, options={"preset": "default", "bits": "7"}, ours=True),
    Peer(
        "lattice",
        "tflite_eq 7 bits at 3x3 inputs, even triplets",
        OURS,
        options=_LATTICE,
        ours=True,
        needs_conv3x3=True,
    ),
)

PEERS = {peer.name: peer for peer in _ALL}
ENVIRONMENTS = {peer.environment.name: peer.environment for peer in _ALL}
