"""Estimates of arm64 cycles; what needs the emulated Python is in tests/arm64."""
