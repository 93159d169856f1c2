"""Integer arithmetic of the quantized network: pure functions over arrays, the specification."""
