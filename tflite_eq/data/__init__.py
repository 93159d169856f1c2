"""Samples for calibration and evaluation: images, arrays and how they become model input."""
