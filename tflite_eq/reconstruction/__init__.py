"""Choosing integer weights by what a layer computes instead of by what each weight is."""
