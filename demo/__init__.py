"""The demonstration that ``make demo`` runs: train, quantize in four ways, compare."""
