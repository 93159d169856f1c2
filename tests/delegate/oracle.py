"""Models of single convolutions with any parameters, and what reference kernels make of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.golden.vectors import Case
from tests.one_operator import Tensor, one_operator_model
from tflite_eq.graph import schema
from tflite_eq.runtimes import Kernels, Runtime


def reference_output(case: Case, runtime: Runtime | None = None) -> npt.NDArray[np.int8]:
    """Output codes of the runtime's reference kernels."""
    from tests import running  # imports TensorFlow

    output: npt.NDArray[np.int8]
    (output,) = running.run(model_of(case), [case.input], Kernels.REFERENCE, runtime)
    return output


def model_of(case: Case) -> bytes:
    """A model with the convolution alone."""
    generated = schema.schema()
    stride, dilation = case.stride, case.dilation
    options = {
        "padding": getattr(generated.Padding, case.padding.upper()),
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
        "fusedActivationFunction": getattr(generated.ActivationFunctionType, case.activation),
    }
    bias_scales = np.float32(case.input_scale) * case.filter_scales
    if case.depth_multiplier:
        operator, table, dimension = "DEPTHWISE_CONV_2D", "DepthwiseConv2D", 3
        options["depthMultiplier"] = case.depth_multiplier
    else:
        operator, table, dimension = "CONV_2D", "Conv2D", 0
    return one_operator_model(
        operator,
        3,
        [
            Tensor(case.input.shape, [case.input_scale], case.input_zero_point),
            Tensor(case.filter.shape, case.filter_scales, data=case.filter, dimension=dimension),
            Tensor(case.bias.shape, bias_scales, kind="INT32", data=case.bias),
        ],
        Tensor((1, 1, 1, 1), [case.output_scale], case.output_zero_point),
        (table, options),
    )
