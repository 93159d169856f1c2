"""``python -m tflite_eq`` is ``tflite-eq``."""

from tflite_eq.cli.main import run

if __name__ == "__main__":
    run()
