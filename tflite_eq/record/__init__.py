"""The calibration record: what was decided on one network, as text that can be edited."""
