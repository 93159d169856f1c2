"""Which real range each tensor's codes should cover, learnt from calibration data."""
