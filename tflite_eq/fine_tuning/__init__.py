"""Bias fine-tuning: the quantized network as a differentiable function of its biases."""
