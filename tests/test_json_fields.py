from __future__ import annotations

import pytest

from tflite_eq.json_fields import parse_json, typed


def test_plain_json() -> None:
    assert parse_json('{"a": [1, 2.5, "x"], "b": {"a": null}}') == {
        "a": [1, 2.5, "x"],
        "b": {"a": None},
    }


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_nesting_is_no_recursion_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested too deeply|Expecting|delimiter"):
        parse_json(text)


def test_field_that_is_there_twice() -> None:
    with pytest.raises(ValueError, match="'scale' is there twice"):
        parse_json('{"tensors": [{"scale": 0.1, "zero_point": 0, "scale": 0.2}]}')


def test_half_of_a_character_is_no_text() -> None:
    with pytest.raises(ValueError, match="no text"):
        typed(parse_json('"\\ud800"'), str, "name")
    assert typed("ä", str, "name") == "ä"
