"""Whether a written model holds and computes what its calibration record says."""
