"""How small the scale of a layer's output may be for kernels to compute it."""

from __future__ import annotations

from tflite_eq.record.record import LayerRecord

# Somewhat less than where XNNPACK refuses: products are rounded to float32, and a wider interval
# may be cut into 127 steps where the other had 126.
_LARGEST_STEP = 250.0


def least_output_scale(record: LayerRecord, input_scale: float) -> float:
    """The smallest scale of a layer's output that XNNPACK computes.

    It refuses input scale times filter scale above 256 output scales (convolution-nhwc.c,
    fully-connected-nc.c: "requantization scale is greater or equal to 256"). Nothing is lost: one
    step of the accumulators already spans all codes.
    """
    return max(record.scales) * record.gain * input_scale / _LARGEST_STEP
