"""The ``tflite-eq`` command, one module per sub-command."""
