"""The state of a calibration in a folder, so that an interrupted one goes on where it was.

    run.json          what the results depend on; a folder of another run is refused
    equalization      what channels of the float network are scaled by first
    layer_0001 ...    what was decided from one finished layer to the next
    alternative_...   the same for calibrations that this one was compared with
    lock              held while a run uses the folder

Every file is written under a temporary name, flushed to the disk and renamed: a process that is
killed leaves whole files and perhaps a temporary one, which the next run removes. Each carries the
hash of its content and of run.json, so that what a disk or a copy has damaged, or another run has
left, is noticed. Stored are decisions, a few kilobytes per layer, in the form that the calibration
record has them in; no activations and nothing that is computed again in seconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Set
from typing import IO, Any, NoReturn, TypeVar

from tflite_eq.checkpoint.run_identity import describe_run, differences
from tflite_eq.checkpoint.state_folder import (
    names_in,
    not_writable,
    refuse_other_run,
    refuse_others,
)
from tflite_eq.config import Config
from tflite_eq.equalization.factors import ChannelFactors
from tflite_eq.errors import CheckpointError, ConfigError
from tflite_eq.files import PathLike, write_atomically
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.json_fields import parse_json, typed, typed_list
from tflite_eq.locking import try_lock
from tflite_eq.record.calibration import LayerRecord, TensorRecord
from tflite_eq.record.fit import check_equalization, check_part
from tflite_eq.record.plausible import check_layer, check_tensor

FORMAT = "tflite_eq checkpoint 3"

_S = TypeVar("_S")

RUN_STATE = "run.json"  # of a folder that this module has made
GUARD_STATE = "guard.json"  # of one that the accuracy guard has made
_EQUALIZATION = "equalization"
_LAYER = "layer_"
_ALTERNATIVE = "alternative_"
_LOCK = "lock"
_FORMER = "statistics"  # of earlier versions, whose folders are refused as another run's
_OWN_NAMES = (RUN_STATE, _EQUALIZATION, _LAYER, _ALTERNATIVE, _LOCK, _FORMER)


@dataclasses.dataclass(frozen=True)
class LayerState:
    """What calibration has decided from the layer before to the end of this one.

    Attributes:
        layer: The finished layer.
        tensors: Tensors settled since the layer before; their ``outside`` is not final.
        waiting_scales: Weight scales found together with the scale of a tensor, of layers that
            read it and are yet to run, by operator index.
        searches: What searches looked at, for reports; results do not depend on it.
    """

    layer: LayerRecord
    tensors: list[TensorRecord]
    waiting_scales: dict[int, list[float]]
    searches: dict[str, Any] = dataclasses.field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """JSON; the inverse of ``from_bytes``."""
        return (json.dumps(dataclasses.asdict(self), indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> LayerState:
        """The state that ``to_bytes`` has written."""
        plain = parse_json(content)
        layer = LayerRecord.from_plain(plain["layer"])
        tensors = [TensorRecord.from_plain(tensor) for tensor in plain["tensors"]]
        for tensor in tensors:
            check_tensor(tensor, "checkpoint")
        check_layer(layer, {tensor.index: tensor.scale for tensor in tensors}, "checkpoint")
        waiting = {
            int(index): typed_list(scales, float, "waiting_scales")
            for index, scales in plain["waiting_scales"].items()
        }
        return cls(layer, tensors, waiting, _searches(plain["searches"]))


def _searches(plain: Any) -> dict[str, Any]:
    """Trials of searches, [factor, loss, round] each, by kind and index.

    Raises:
        ValueError: They are something else.
    """
    kinds = typed(plain, dict, "searches").values()
    for index, trials in (entry for found in kinds for entry in found.items()):
        int(index)
        for factor, loss, alternation in trials:
            typed(factor, float, "factor")
            typed(loss, float, "loss")
            typed(alternation, int, "round")
    return dict(plain)


@dataclasses.dataclass(frozen=True)
class SavedEqualization:
    """What channels are scaled by, and the data that the run was begun with.

    Attributes:
        samples: Number of samples.
        digest: SHA-256 over them, hexadecimal.
        factors: One entry per domain.
    """

    samples: int
    digest: str
    factors: list[ChannelFactors]

    def to_bytes(self) -> bytes:
        """JSON; the inverse of ``from_bytes``."""
        return (json.dumps(dataclasses.asdict(self)) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> SavedEqualization:
        """What ``to_bytes`` has written."""
        plain = parse_json(content)
        factors = [ChannelFactors.from_plain(entry) for entry in plain.pop("factors")]
        return cls(
            typed(plain["samples"], int, "samples"),
            typed(plain["digest"], str, "digest"),
            factors,
        )


class Checkpoint:
    """One run's folder, held by this process alone until ``close``.

    Attributes:
        equalization: What an earlier run has found to scale, ``None`` if it has not come so far.
        layers: Finished layers in execution order.
    """

    def __init__(self, folder: PathLike, model_sha256: str, config: Config, runtime: str) -> None:
        """Open the folder, which is made if it is not there, and read what it holds.

        Args:
            folder: An empty or missing folder, or that of an interrupted run.
            model_sha256: Hash of the float model.
            config: Options.
            runtime: Name and version of the runtime that computes activations.

        Raises:
            CheckpointError: The folder is another run's, in use, damaged, or holds other files.
            TfliteEqError: It cannot be made or written to.
        """
        self._folder = pathlib.Path(folder)
        self._shown = os.fspath(folder)
        self._model_sha256, self._runtime = model_sha256, runtime
        self._lock = self._locked()
        try:
            run = describe_run(FORMAT, model_sha256, config, runtime)
            self._claim(run)
            self._id = hashlib.sha256(run.encode()).hexdigest()[:16]
            path = self._folder / _EQUALIZATION
            self.equalization = (
                self._parsed(path, SavedEqualization.from_bytes) if path.exists() else None
            )
            self.layers = list(self._read_layers())
            if self.layers and not self.equalization:
                self._refuse_damaged(path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let other processes use the folder."""
        self._lock.close()

    def of_alternative(self, config: Config) -> Checkpoint:
        """The state of the same calibration with other options, in a folder of its own."""
        plain = json.dumps(config.as_dict(), sort_keys=True)
        name = f"{_ALTERNATIVE}{hashlib.sha256(plain.encode()).hexdigest()[:12]}"
        return Checkpoint(self._folder / name, self._model_sha256, config, self._runtime)

    def save_equalization(self, found: SavedEqualization) -> None:
        """Save what channels are scaled by."""
        self.equalization = found
        self._write(_EQUALIZATION, found.to_bytes())

    def finish_layer(self, state: LayerState) -> None:
        """Save what was decided up to the end of one more layer."""
        self.layers.append(state)
        self._write(_layer_name(len(self.layers)), state.to_bytes())

    def check_equalization(self, graph: Graph, skipped: Set[int]) -> None:
        """Refuse saved factors that are not for this network: hashes do not tell who wrote them.

        Raises:
            CheckpointError: They are not.
        """
        try:
            check_equalization(
                self.equalization.factors if self.equalization else [], graph, skipped
            )
        except ConfigError:
            self._refuse_damaged(self._folder / _EQUALIZATION)

    def check_layers(self, graph: Graph, layers: Mapping[int, LinearLayer]) -> None:
        """Refuse finished layers that are not this network's.

        Args:
            graph: The float network.
            layers: Its linear layers by operator index.

        Raises:
            CheckpointError: One is not.
        """
        for number, state in enumerate(self.layers, start=1):
            try:
                check_part(state.layer, state.tensors, state.waiting_scales, graph, layers)
            except ConfigError:
                self._refuse_damaged(self._folder / _layer_name(number))

    def check_data(self, samples: int, digest: str) -> None:
        """Refuse other data than those that the run was begun with.

        Args:
            samples: Number of samples.
            digest: SHA-256 over them, hexadecimal.

        Raises:
            CheckpointError: They differ.
        """
        saved = self.equalization
        if saved is None or (samples, digest) == (saved.samples, saved.digest):
            return
        found = "other calibration data than these"
        if samples != saved.samples:
            found = f"{saved.samples} calibration samples, now there are {samples}"
        raise CheckpointError(
            f"resume folder {self._shown}: it was begun with {found}. Give the same data in the "
            "same order, or start afresh with a new folder"
        )

    def _locked(self) -> IO[bytes]:
        """The open and locked lock file; the system unlocks it when the process ends."""
        names = names_in(self._folder)
        if GUARD_STATE in names:
            raise CheckpointError(
                f"resume folder {self._shown}: it holds the state of a run with --max_drop; name "
                "an empty or new folder, or give --max_drop again"
            )
        refuse_others(self._folder, [name for name in names if not _is_own(name)])
        try:
            lock = (self._folder / _LOCK).open("wb")
        except OSError as error:
            raise not_writable(self._folder, error) from error
        if not try_lock(lock):
            lock.close()
            raise CheckpointError(
                f"resume folder {self._shown}: another run is using it; wait for that run, or name "
                "another folder"
            )
        return lock

    def _claim(self, run: str) -> None:
        """Make sure that the folder is this run's."""
        for leftover in self._folder.glob(".*.tmp"):
            with contextlib.suppress(OSError):
                leftover.unlink()
        path = self._folder / RUN_STATE
        try:
            stored = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            if any(self._folder.glob(f"{_LAYER}*")) or (self._folder / _EQUALIZATION).exists():
                self._refuse_damaged(path)
            write_atomically(path, run.encode())
            return
        except (OSError, UnicodeDecodeError):
            self._refuse_damaged(path)
        if stored == run:
            return
        differing = differences(stored, run)
        if differing is None:
            self._refuse_damaged(path)
        refuse_other_run(self._folder, differing)

    def _read_layers(self) -> Iterator[LayerState]:
        count = sum(1 for _ in self._folder.glob(f"{_LAYER}*"))
        for number in range(1, count + 1):
            yield self._parsed(self._folder / _layer_name(number), LayerState.from_bytes)

    def _parsed(self, path: pathlib.Path, parse: Callable[[bytes], _S]) -> _S:
        """What is in a file: its hash does not tell who wrote it."""
        content = self._read(path)
        try:
            return parse(content)
        except (AttributeError, KeyError, TypeError, ValueError, ConfigError):
            self._refuse_damaged(path)

    def _write(self, name: str, content: bytes) -> None:
        write_atomically(self._folder / name, self._header(content) + content)

    def _read(self, path: pathlib.Path) -> bytes:
        try:
            stored = path.read_bytes()
        except OSError:
            self._refuse_damaged(path)
        header, _, content = stored.partition(b"\n")
        if header + b"\n" != self._header(content):
            self._refuse_damaged(path)
        return content

    def _header(self, content: bytes) -> bytes:
        return f"{FORMAT} {self._id} {hashlib.sha256(content).hexdigest()}\n".encode()

    def _refuse_damaged(self, path: pathlib.Path) -> NoReturn:
        raise CheckpointError(
            f"{path} is missing, cut off, changed or of another run; delete the resume folder "
            f"{self._shown} and start afresh"
        )


def _layer_name(number: int) -> str:
    return f"{_LAYER}{number:04d}"


def _is_own(name: str) -> bool:
    return name.startswith(_OWN_NAMES) or (
        name.endswith(".tmp") and name.startswith(tuple(f".{own}" for own in _OWN_NAMES))
    )
