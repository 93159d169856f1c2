"""EasyQuant scales, bias correction and INT7 for TensorFlow Lite models."""
