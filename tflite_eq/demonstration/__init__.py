"""A small trained network and its data, for trying things out: what ``tflite-eq demo`` works on.

The network tells handwritten digits apart; ``demo/network.py`` describes and trains it. The images
are part of the Optical Recognition of Handwritten Digits data set of E. Alpaydin and C. Kaynak
(UCI Machine Learning Repository, 1998, CC BY 4.0), which scikit-learn brings along; they are its
images of 8x8 pixels as bytes of 0..255.
"""
