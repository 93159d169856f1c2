"""The saved state of a guarded quantization: what was calibrated and measured before it ended.

    guard.json        what the results depend on; a folder of another run is refused
    guard_DIGEST/     calibration of one model tried, see ``calibration/checkpoint.py``
    guard_drop_KEY    its measured loss

The key of a loss is a hash of the model's bytes and of what it was measured on and by, the float
model's logits or the samples included: a file belongs to exactly these or is not found. The bound
is part of neither, so that another bound goes on with what was tried for the first.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib

from tflite_eq.checkpoint.checkpoint import GUARD_STATE, RUN_STATE
from tflite_eq.checkpoint.run_identity import describe_run, differences
from tflite_eq.checkpoint.state_folder import names_in, refuse_other_run, refuse_others
from tflite_eq.config import Config
from tflite_eq.errors import CheckpointError
from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.files import PathLike, check_writable, write_atomically
from tflite_eq.guard.search import Drop
from tflite_eq.json_fields import known_fields, parse_json, typed

FORMAT = "tflite_eq guard 2"

_PREFIX = "guard_"
_DROP = "guard_drop_"


class GuardFolder:
    """The folder of one guarded quantization."""

    def __init__(self, folder: PathLike, model: bytes, config: Config, runtime: str) -> None:
        """Open the folder, which is made if it is not there.

        Args:
            folder: An empty or missing folder, or that of an interrupted run.
            model: The float model.
            config: Options to start from.
            runtime: Name and version of the runtime that computes activations.

        Raises:
            CheckpointError: The folder is another run's, damaged, or holds other files.
            TfliteEqError: It cannot be made or written to.
        """
        self._folder = pathlib.Path(folder)
        self._shown = os.fspath(folder)
        self._make()
        run = describe_run(FORMAT, hashlib.sha256(model).hexdigest(), config, runtime)
        path = self._folder / GUARD_STATE
        if path.exists():
            self._check_same(path, run)
        else:
            write_atomically(path, run.encode())

    def calibration_of(self, config: Config) -> pathlib.Path:
        """Where the state of a calibration with these options is."""
        plain = json.dumps(config.as_dict(), sort_keys=True)
        return self._folder / f"{_PREFIX}{hashlib.sha256(plain.encode()).hexdigest()[:12]}"

    def drop_of(self, model: bytes, measured_on: bytes) -> Drop | None:
        """The loss that was measured of a quantized model; ``None`` if none was.

        Args:
            model: The quantized model.
            measured_on: Hash of all else that its loss depends on.

        Raises:
            CheckpointError: The file is damaged.
        """
        path = self._drop_path(model, measured_on)
        try:
            stored = known_fields(parse_json(path.read_bytes()), Drop)
            loss = known_fields(stored["loss"], Estimate)
            value, *ends = (typed(loss[name], float, name) for name in ("value", "low", "high"))
            return Drop(Estimate(value, *ends), typed(stored["images"], int, "images"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            raise CheckpointError(
                f"{path} is cut off or changed; delete it, and that loss is measured again"
            ) from None

    def save_drop(self, model: bytes, measured_on: bytes, drop: Drop) -> None:
        """Keep the loss of a quantized model."""
        text = json.dumps(dataclasses.asdict(drop)) + "\n"
        write_atomically(self._drop_path(model, measured_on), text.encode())

    def _drop_path(self, model: bytes, measured_on: bytes) -> pathlib.Path:
        key = hashlib.sha256(model + measured_on).hexdigest()[:24]
        return self._folder / f"{_DROP}{key}"

    def _make(self) -> None:
        names = names_in(self._folder)
        if RUN_STATE in names:
            raise CheckpointError(
                f"resume folder {self._shown}: it holds the state of a run without --max_drop; "
                "name an empty or new folder, or leave --max_drop out"
            )
        refuse_others(self._folder, [n for n in names if not n.startswith(("guard", ".guard"))])
        check_writable(self._folder / GUARD_STATE)

    def _check_same(self, path: pathlib.Path, run: str) -> None:
        try:
            stored = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            stored = ""
        if stored == run:
            return
        differing = differences(stored, run)
        if differing is None:
            raise CheckpointError(
                f"{path} is cut off or changed; delete the resume folder {self._shown} and start "
                "afresh"
            )
        refuse_other_run(self._folder, differing)
