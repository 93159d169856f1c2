from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from tflite_eq import Bits, Config, Method, SearchSettings, Target
from tflite_eq.errors import ConfigError


def test_plain_strings_become_enumerations() -> None:
    config = Config(bits="auto", method="kl", target="x86-vnni", input_type="uint8")
    assert config.bits is Bits.AUTO
    assert config.method is Method.KL
    assert config.target is Target.X86_VNNI
    assert Config(bits=7).bits is Bits.INT7
    assert config == Config(bits=Bits.AUTO, method="kl", target="x86-vnni", input_type="uint8")


def test_copies_are_equal_and_none_can_be_changed() -> None:
    config = Config(bits="auto", target="x86-vnni", seed=3)
    for same in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert same == config
        assert hash(same) == hash(config)
        assert same.bits is Bits.AUTO
    wide = dataclasses.replace(config, bits="8")
    assert (wide.bits, wide.target, config.bits) == (Bits.INT8, Target.X86_VNNI, Bits.AUTO)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.bits = Bits.INT7  # type: ignore[misc]
    assert Config().bits is Bits.INT8


def test_dictionary_round_trip() -> None:
    config = Config(
        bits="7",
        target="armv8.0",
        method="percentile",
        objective="cosine",
        activation_mode="symmetric",
        bias_correction="none",
        per_tensor=True,
        output_type="int8",
        skip="a|b",
        keep_int8="c$",
        keep_int8_share=0.25,
        split_channels="d",
        channel_copies={"e": [1, 2], "f": [3]},
        split_channels_share=0.5,
        seed=7,
        search=SearchSettings(steps=9, rows=3),
        fixed=["equalization"],
    )
    assert config.fixed == ("equalization",)
    assert Config.from_dict(config.as_dict()) == config
    assert Config.from_dict({}) == Config()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"bits": "9"}, "bits: '9' is not one of '8', '7', 'auto'"),
        ({"method": "magic"}, "method: 'magic' is not one of 'easyquant'"),
        ({"input_type": "int16"}, "input_type"),
        ({"fixed": ["bits"]}, "fixed: .* is not a list of some of 'method', 'equalization'"),
        ({"fixed": "method"}, "fixed: 'method' is not a list"),
        ({"skip": "("}, r"skip: '\(' is not a valid regular expression"),
        ({"bits": "7", "keep_int8": "("}, r"keep_int8: '\(' is not a valid regular expression"),
        ({"keep_int8": "a"}, "keep_int8: with bits 8 every layer keeps 8 bits"),
        ({"keep_int8_share": 0.1}, "keep_int8_share: with bits 8 every layer keeps 8 bits"),
        *(
            ({"bits": "7", "keep_int8_share": share}, "keep_int8_share must be a share .* 0 to 1")
            for share in (-0.1, 1.5, float("nan"), "much", True)
        ),
        ({"split_channels": "("}, r"split_channels: '\(' is not a valid regular expression"),
        *(
            ({"channel_copies": value}, "channel_copies is .*give a dict of counts from 1 to 8")
            for value in ("a", 3, {"a": []}, {"a": 2}, {"a": [0]}, {"a": [9]}, {"a": [1.5]}, ["a"])
        ),
        ({"channel_copies": [("a", [1]), ("a", [2])]}, "channel_copies: counts are given twice"),
        ({"split_channels_share": 2}, "split_channels_share must be a share .* 0 to 1, got 2"),
        (
            {"per_tensor": True, "equalization": "activations"},
            "per_tensor, equalization: 'activations' needs .* choose equalization 'cross_layer'",
        ),
        ({"seed": -1}, "seed must be"),
        ({"seed": 2**32}, "seed must be"),
        ({"seed": "a"}, "seed must be"),
        ({"skip": 3}, "skip: 3 is not a valid regular expression"),
        ({"colour": 1}, "colour"),
        ({"search": {"low": 0.0}}, "search interval"),
        ({"search": {"low": 1.2}}, "search interval"),
        ({"search": {"high": 0.9}}, "search interval"),
        ({"search": {"steps": 0}}, "steps must be at least 1"),
        ({"search": {"coarse": 0}}, "coarse must be at least 1"),
        ({"search": {"rows": 0}}, "rows must be at least 1"),
        ({"search": {"max_rounds": 0}}, "max_rounds must be at least 1"),
        ({"search": {"colour": 0}}, "colour"),
        ({"search": {"coarse": 1 << 60}}, "coarse must be at most 1,048,576"),
        ({"search": {"steps": 1.5}}, "steps must be at least 1, got 1.5"),
        ({"per_tensor": "false"}, "per_tensor must be true or false, got 'false'"),
        ([], r"must be a dictionary, got \[\]"),
    ],
)
def test_wrong_options_are_refused(entries: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config.from_dict(entries)


def test_only_options_at_their_defaults_need_to_be_fixed() -> None:
    assert Config(method="kl", fixed=("method",)) == Config(method="kl")
    assert Config(fixed=("bias_correction", "method")).fixed == ("method", "bias_correction")
