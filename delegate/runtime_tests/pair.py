"""One model on reference kernels, without the delegate and with it."""

from __future__ import annotations

import numpy as np
from one_conv_model import Chain, random_conv


class Pair:
    """A model run by the reference kernels alone, and by the delegate with reference kernels for
    what it leaves."""

    def __init__(self, runtime, path, model, *, delegate=None, **options):
        resolver = runtime.OpResolverType.BUILTIN_REF
        options = {"log_level": "0", **options}
        if delegate is None:
            delegate = runtime.load_delegate(path, options)
        self.reference = runtime.Interpreter(
            model_content=model, experimental_op_resolver_type=resolver
        )
        self.delegated = runtime.Interpreter(
            model_content=model,
            experimental_op_resolver_type=resolver,
            experimental_delegates=[delegate],
        )
        self.allocate()

    def allocate(self):
        self.reference.allocate_tensors()
        self.delegated.allocate_tensors()

    def resize(self, shape):
        for interpreter in (self.reference, self.delegated):
            interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], shape)
        self.allocate()

    def run(self, codes):
        results = []
        for interpreter in (self.reference, self.delegated):
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], codes)
            interpreter.invoke()
            results.append(
                [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
            )
        return results

    def check(self, rng, *, low=-128, high=128):
        shape = self.reference.get_input_details()[0]["shape"]
        expected, actual = self.run(rng.integers(low, high, shape).astype(np.int8))
        assert len(expected) == len(actual)
        for e, a in zip(expected, actual):
            np.testing.assert_array_equal(a, e)
        return expected

    def delegate_nodes(self):
        return [
            d
            for d in self.delegated._get_ops_details()
            if d["op_name"] in ("DELEGATE", "TfLiteEqDelegate")
        ]


def chain_of_convs(rng, values="int8", count=4):
    """Layers that the delegate claims by its policy wherever it has fast kernels."""
    convs = [random_conv(rng, 32, 32, values=values, padding="same") for _ in range(count)]
    return Chain((1, 20, 20, 32), 0.05, 3, convs)


def mixed_chain(rng, values="int8"):
    """Groups of 3x3 layers with others between them: several partitions, for a Winograd kernel
    asked for by name."""
    layers = [
        {},
        {},
        {"size": 1, "values": "plain_int7"},
        {},
        {"padding": "valid"},
        {"stride": 2},
        {},
        {"activation": "relu"},
    ]
    convs = [random_conv(rng, 24, 24, **{"values": values, **layer}) for layer in layers]
    return Chain((1, 16, 16, 24), 0.05, 3, convs)
