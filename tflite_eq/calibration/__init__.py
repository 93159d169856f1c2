"""One calibration of a network: float pass, lockstep of both networks, fine-tuning."""
