"""What the runtime alone computes with: no ratio of speeds means anything without it."""

from __future__ import annotations


def peer_instructions(name: str, version: str) -> str:
    """What a runtime's own int8 convolutions run on in this process.

    Two processes on one CPU may differ: one may have been denied AMX, or have AVX-512 hidden.

    Args:
        name: Distribution name of the runtime, e.g. ``ai-edge-litert``.
        version: Its version.

    Raises:
        BackendError: The delegate's Python module is missing.
    """
    if lacks_xnnpack(name, version):
        return "built-in kernels without XNNPACK"
    # Commands that do not need the compiled module must do without.
    from tflite_eq.delegate.binding import kernels

    return f"XNNPACK on {kernels.Cpu.detect().peer}"


def lacks_xnnpack(name: str, version: str) -> bool:
    """Whether a runtime gives XNNPACK no int8 convolution, whatever the CPU."""
    return name == "tflite-runtime" and version.startswith("2.14")
