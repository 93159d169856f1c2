"""Scaling channels between layers of the float network so that they quantize better.

What can be scaled is in ``domains``, by how much in ``cross_layer`` (for weights with one scale per
tensor) and ``balance`` (for activations), and ``factors`` does it.
"""
