"""What a file is, found out from its bytes alone: no TensorFlow, no data, no guess by its name."""
