"""What a calibration is compared with before it is taken, and what is kept instead if it is worse.

``min_max`` makes the model that TFLite's default would be, ``options`` says what of a configuration
may be left out, ``judges`` measures models on samples, ``verdict`` decides between what they
measured, and ``choice`` asks for what is needed and keeps the best.
"""
