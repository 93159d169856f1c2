"""Measurements behind the figures in the docs."""
