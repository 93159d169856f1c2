from __future__ import annotations

import pickle

import pytest

from tflite_eq.errors import BackendError, TfliteEqError


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x0b", "\u2028", "\n\n  "])
def test_message_is_one_line(end: str) -> None:
    error = TfliteEqError(f"the runtime says: first{end}second; do this")
    assert str(error) == "the runtime says: first second; do this"


def test_terminal_codes_and_broken_characters_are_escaped() -> None:
    assert str(TfliteEqError("tensor '\x1b[31m\x00\ud800'")) == r"tensor '\x1b[31m\x00\ud800'"


def test_two_blanks_in_a_name_stay() -> None:
    """A remedy may quote the name."""
    assert str(TfliteEqError("--skip '^a  b$'")) == "--skip '^a  b$'"


def test_long_message_keeps_its_remedy() -> None:
    text = str(BackendError(f"model.tflite: {'x' * 100_000}; convert the model again"))
    assert text.startswith("model.tflite: x")
    assert text.endswith("x; convert the model again")
    assert len(text) < 1300


def test_errors_survive_the_way_between_processes() -> None:
    assert str(pickle.loads(pickle.dumps(BackendError("a\nb")))) == "a b"
