"""What looks wrong about calibration data before minutes are spent on them."""
