"""Arguments of types that no signature allows: errors that name them, before any work."""

from __future__ import annotations

from typing import Any

import pytest

from tests import built_models
from tflite_eq import Config, quantize
from tflite_eq.errors import ConfigError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": True}, "backend: True is none; give its name"),
        ({"backend": 3}, "backend: 3 is none; give its name"),
        ({"report_dir": 7}, "report_dir: 7 is no path"),
        ({"resume_dir": False}, "resume_dir: False is no path"),
        ({"num_samples": b"x"}, "num_samples is b'x'; give a whole number"),
        ({"num_samples": 1.5}, "num_samples is 1.5; give a whole number"),
        ({"num_samples": 0}, "num_samples is 0; give a whole number"),
    ],
)
def test_argument_of_another_type(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        quantize(
            built_models.conv_net(),
            built_models.samples(1),
            **{"backend": "litert", **arguments},
        )


@pytest.mark.parametrize("expression", [b"x", 3, ["a"]])
def test_expression_that_is_no_string(expression: Any) -> None:
    with pytest.raises(ConfigError, match="is not a valid regular expression"):
        Config(skip=expression)
