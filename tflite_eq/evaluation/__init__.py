"""Measuring classifiers: labelled data in, accuracy and closeness to the float model out."""
