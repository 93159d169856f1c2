"""What tests run inside the emulated Python."""
