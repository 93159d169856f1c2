"""Quantized TFLite models in the formats of other runtimes, to be counted there."""
