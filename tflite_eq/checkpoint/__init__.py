"""The state of an interrupted calibration."""
