"""Writes the networks of this folder: ``python -m tests.pytorch.export FOLDER``, with litert-torch.

Written by litert-torch 0.10.0 with PyTorch 2.14.1.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def export(folder: Path) -> None:
    """``nchw.tflite`` and ``nhwc.tflite``: the same network with channels first and last."""
    import litert_torch
    import torch
    from torch import nn
    from torch.nn import functional

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
            self.c, self.norm = nn.Conv2d(8, 4, 1), nn.BatchNorm2d(8)

        def forward(self, x: Any) -> Any:
            x = functional.avg_pool2d(functional.hardswish(self.norm(self.a(x))), 2)
            x = functional.gelu(self.b(x))
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            return self.c(x)

    torch.manual_seed(0)
    network = Network().eval()
    example = torch.randn(1, 3, 16, 16)
    litert_torch.convert(network, (example,)).export(str(folder / "nchw.tflite"))
    last = litert_torch.to_channel_last_io(network, args=[0], outputs=[0])
    example = example.permute(0, 2, 3, 1)
    litert_torch.convert(last, (example,)).export(str(folder / "nhwc.tflite"))


if __name__ == "__main__":
    export(Path(sys.argv[1]))
