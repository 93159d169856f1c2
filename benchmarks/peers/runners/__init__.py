"""One module per quantizer, run in that quantizer's own environment.

A runner needs nothing but the quantizer and NumPy. It defines

    MODULES   what its environment must be able to import
    quantize  (model file, samples, options by keyword) -> content of the quantized file
    versions  () -> version of what did the work, by name

and is run by ``main.py``.
"""
