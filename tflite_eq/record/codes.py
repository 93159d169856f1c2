"""Weight codes as text, for the calibration record."""

from __future__ import annotations

import base64
import binascii

import numpy as np
import numpy.typing as npt


def encode_codes(codes: npt.NDArray[np.int8]) -> str:
    """Base64 of the codes in C order, one byte each."""
    return base64.b64encode(np.ascontiguousarray(codes, np.int8).tobytes()).decode("ascii")


def decode_codes(text: str, shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """The inverse of ``encode_codes``.

    Raises:
        ValueError: The text is no base64, or does not hold as many codes as the shape needs.
    """
    try:
        codes = np.frombuffer(base64.b64decode(text, validate=True), np.int8)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
    if codes.size != int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"{codes.size} codes for weights of shape {list(shape)}")
    return codes.reshape(shape)
