"""What runs inside the emulated Python: NumPy, a TFLite runtime and the standard library."""
