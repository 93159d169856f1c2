"""Sony's Model Compression Toolkit: post-training quantization with its default settings.

The toolkit works inside Keras 2 and has TensorFlow's converter write the ``.tflite``. Its default
platform, IMX500, has 8-bit weights per channel and 8-bit activations whose scales are powers of
two, more than TFLite asks for. Its platform for TFLite cannot be used in release 2.6.1: it says of
pools and reshapes both that they quantize and that they do not, which the toolkit refuses. So the
default platform with activations of any scale and zero point is what fits TFLite best.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MODULES = ("model_compression_toolkit", "tensorflow")

_TFLITE_FUSES = ("ReLU", "ReLU6")


def quantize(
    model: Path, samples: Sequence[npt.NDArray[np.float32]], uniform: bool = False
) -> bytes:
    """The int8 ``.tflite`` of a Keras model.

    Args:
        model: The Keras model.
        samples: Inputs to calibrate on.
        uniform: Give activations any scale and zero point instead of the default platform's.
    """
    import keras2
    import model_compression_toolkit as mct

    platform = {"target_platform_capabilities": _uniform_platform()} if uniform else {}
    quantized, _ = mct.ptq.keras_post_training_quantization(
        keras2.load_model(model), lambda: ([x] for x in samples), **platform
    )
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / "model.tflite"
        mct.exporter.keras_export_model(
            model=quantized,
            save_model_path=str(written),
            serialization_format=mct.exporter.KerasExportSerializationFormat.TFLITE,
            quantization_format=mct.exporter.QuantizationFormat.INT8,
        )
        return written.read_bytes()


def _uniform_platform() -> Any:
    """The default platform, but activations are quantized where and as TFLite does it."""
    from mct_quantizers import QuantizationMethod
    from model_compression_toolkit.target_platform_capabilities.schema import (
        mct_current_schema as schema,
    )
    from model_compression_toolkit.target_platform_capabilities.tpc_models.imx500_tpc.v1_0 import (
        tpc,
    )

    uniform = {"activation_quantization_method": QuantizationMethod.UNIFORM}
    linear, _, other = tpc.get_op_quantization_configs()
    linear, other = linear.clone_and_edit(**uniform), other.clone_and_edit(**uniform)
    platform = tpc.generate_tpc(other, linear, [linear], "imx500_uniform")
    # A convolution is not quantized in front of what it is fused with. What TFLite does not fuse
    # with it, such as a leaky ReLU, would leave it in float.
    fused = tuple(
        schema.Fusing(
            operator_groups=(
                first,
                schema.OperatorSetGroup(
                    operators_set=[o for o in second.operators_set if o.name in _TFLITE_FUSES]
                ),
            )
        )
        for first, second in (pattern.operator_groups for pattern in platform.fusing_patterns)
    )
    return platform.model_copy(update={"fusing_patterns": fused})


def versions() -> dict[str, str]:
    """The toolkit's, and of the TensorFlow that writes the file."""
    import model_compression_toolkit as mct
    import tensorflow as tf

    return {"MCT": mct.__version__, "TensorFlow": tf.__version__}
