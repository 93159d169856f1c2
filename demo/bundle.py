"""``python -m demo.bundle``: makes the network and images that the package brings along anew.

They are part of the repository; TensorFlow 2.19 on another CPU may train other weights, and with
them go the figures that README.md has of ``tflite-eq demo``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from demo import digits, network

FOLDER = Path(__file__).resolve().parents[1] / "tflite_eq" / "demonstration"
SAMPLES = 200


def main() -> None:
    """Train, convert and write."""
    data = digits.load()
    (FOLDER / "digits.tflite").write_bytes(network.convert_float(network.train(data)))
    np.savez_compressed(
        FOLDER / "digits.npz",
        training=data.train_images[:SAMPLES],
        validation=data.validation_images,
        labels=data.validation_labels.astype(np.uint8),
    )


if __name__ == "__main__":
    main()
