"""Milliseconds that others measured on boards, with one thread.

From ncnn's own table (github.com/Tencent/ncnn, benchmark/README.md), the average of several runs of
its networks with random weights. Its compare with those of networks.py: ResNet-18's has one
more 1x1 convolution (0.7 % of the multiplications), the others are the same.
"""

from __future__ import annotations

# By core, the network and then int8 and float (float16 on the A76, which ncnn uses by itself).
NCNN_MILLISECONDS: dict[str, dict[str, tuple[float, float]]] = {
    "a53": {
        "resnet18": (312.7, 379.6),
        "mobilenet_v1": (181.9, 205.7),
        "squeezenet": (136.0, 125.0),
    },
    "a72": {
        "resnet18": (158.5, 191.1),
        "mobilenet_v1": (84.8, 124.3),
        "squeezenet": (69.4, 74.0),
    },
    "a76": {
        "resnet18": (36.3, 29.5),
        "mobilenet_v1": (14.4, 20.2),
        "squeezenet": (11.7, 11.8),
    },
}
