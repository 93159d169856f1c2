"""What the tensors of the float network reach over the calibration data."""
