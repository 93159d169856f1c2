"""Sony's Model Compression Toolkit: post-training quantization with its default settings.

The toolkit works inside Keras 2 and has TensorFlow's converter write the ``.tflite``. Its default
platform, IMX500, has 8-bit weights per channel and 8-bit activations whose scales are powers of
two. Its platform for TFLite cannot be used in release 2.6.1: it says of pools and reshapes both
that they quantize and that they do not, which the toolkit refuses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

MODULES = ("model_compression_toolkit", "tensorflow")


def quantize(model: Path, samples: Sequence[np.ndarray]) -> bytes:
    """The int8 ``.tflite`` of a Keras model."""
    import keras2
    import model_compression_toolkit as mct

    quantized, _ = mct.ptq.keras_post_training_quantization(
        keras2.load_model(model), lambda: ([x] for x in samples)
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


def versions() -> dict[str, str]:
    """The toolkit's, and of the TensorFlow that writes the file."""
    import model_compression_toolkit as mct
    import tensorflow as tf

    return {"MCT": mct.__version__, "TensorFlow": tf.__version__}
