"""Models from the wild beside TensorFlow's own quantizer: ``python -m benchmarks.zoo``."""
