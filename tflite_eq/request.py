"""What ``calibrate``, ``quantize`` and ``quantize_guarded`` are asked for, checked once."""

from __future__ import annotations

import dataclasses
from typing import Any

from tflite_eq.arguments import ModelLike, check_path, checked_count, given_model
from tflite_eq.config import Config, checked_config
from tflite_eq.files import PathLike


@dataclasses.dataclass(frozen=True)
class Request:
    """A float model with what it is to be calibrated by; the fields are arguments of ``calibrate``.

    Attributes:
        model: Content of a float ``.tflite``.
        origin: What to call it in messages.
        dataset: Calibration samples in any form, or stored ones.
        config: Options.
        num_samples: Use at most so many samples; ``None`` uses all.
        held_back: Other samples to compare calibrations on, in the same forms; ``None`` if none.
        resume_dir: Folder for the state of the calibration; ``None`` keeps none.
    """

    model: bytes
    origin: str
    dataset: Any
    config: Config
    num_samples: int | None = None
    held_back: Any = None
    resume_dir: PathLike | None = None

    @classmethod
    def checked(
        cls,
        model: ModelLike,
        dataset: Any,
        config: Config | None,
        *,
        num_samples: int | None,
        origin: str | None,
        held_back: Any,
        resume_dir: PathLike | None,
    ) -> Request:
        """What a caller has given, once it is known to be of the right kind.

        Raises:
            TfliteEqError: Something is not, or the model cannot be read.
        """
        content, origin = given_model(model, origin)
        config = checked_config(config)
        num_samples = checked_count(num_samples, "num_samples")
        check_path(resume_dir, "resume_dir")
        return cls(content, origin, dataset, config, num_samples, held_back, resume_dir)
