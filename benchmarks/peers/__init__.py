"""tflite_eq beside other quantizers, on the shared models: docs/peers.md."""
