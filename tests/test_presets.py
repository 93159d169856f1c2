from __future__ import annotations

from typing import Any

import pytest

from tflite_eq import Config, Preset, SearchSettings, preset_config
from tflite_eq.errors import ConfigError
from tflite_eq.presets import preset_samples

# As docs/method.md has them.
DOCUMENTED: dict[str, tuple[int, dict[str, Any]]] = {
    "fast": (
        20,
        {"search": SearchSettings(steps=25, coarse=5, rows=1000, work=10**8, max_rounds=1)},
    ),
    "default": (50, {}),
    "best": (
        200,
        {
            "reconstruction": "refit",
            "search": SearchSettings(max_rounds=4),
            "split_channels_share": 0.25,
        },
    ),
    "paper": (
        50,
        {
            "objective": "cosine",
            "activation_mode": "symmetric",
            "bias_correction": "none",
            "equalization": "none",
            "fixed": ("method",),
            "search": SearchSettings(coarse=1, activation_share=1, max_rounds=1),
        },
    ),
}


@pytest.mark.filterwarnings("ignore:preset 'paper':DeprecationWarning")
@pytest.mark.parametrize("preset", list(Preset))
def test_presets_are_what_the_documents_say(preset: Preset) -> None:
    samples, options = DOCUMENTED[preset.value]
    assert preset_samples(preset) == samples
    assert preset_config(preset) == preset_config(preset.value) == Config(**options)


def test_the_preset_that_goes_names_what_comes_in_its_place() -> None:
    with pytest.warns(DeprecationWarning, match="the method 'easyquant-paper'"):
        preset_config("paper")


def test_options_take_precedence() -> None:
    config = preset_config("best", reconstruction="rounding", bits="7", split_channels_share=0)
    assert config == Config(
        reconstruction="rounding",
        bits="7",
        search=SearchSettings(max_rounds=4),
        keep_int8_share=0.1,
    )


def test_settings_as_published_take_no_precision_from_a_preset() -> None:
    for bits in ("8", "7"):
        config = preset_config("best", method="trt", bits=bits, reconstruction="none")
        assert config.keep_int8_share == config.split_channels_share == 0


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="preset: 'better' is not one of 'fast', 'default'"):
        preset_config("better")
    with pytest.raises(ConfigError, match="colour"):
        preset_config("best", colour="red")
