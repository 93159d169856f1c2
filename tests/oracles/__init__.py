"""Other quantizers, with this package's scales, weights and biases put into what they lay out."""
