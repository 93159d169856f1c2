"""Int8 networks and layers to time kernels with: random weights, the layers of the original
networks, quantized here on random inputs."""

from __future__ import annotations

import dataclasses
import importlib
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import flatbuffers
import numpy as np

from tflite_eq.quiet import quiet


def resnet18():
    """The layers of ResNet-18, batch normalization folded."""
    tf = importlib.import_module("tensorflow")
    layers = tf.keras.layers

    def block(x, channels, stride):
        y = layers.Conv2D(channels, 3, stride, "same", activation="relu")(x)
        y = layers.Conv2D(channels, 3, 1, "same")(y)
        if stride != 1:
            x = layers.Conv2D(channels, 1, stride)(x)
        return layers.ReLU()(layers.Add()([x, y]))

    inputs = tf.keras.Input((224, 224, 3), batch_size=1)
    x = layers.Conv2D(64, 7, 2, "same", activation="relu")(inputs)
    x = layers.MaxPool2D(3, 2, "same")(x)
    for channels in (64, 128, 256, 512):
        x = block(block(x, channels, 1 if channels == 64 else 2), channels, 1)
    return tf.keras.Model(inputs, layers.Dense(1000)(layers.GlobalAveragePooling2D()(x)))


def vgg16():
    """The layers of VGG16; the two hidden dense ones are left out, they are no convolutions and
    twice the weights."""
    tf = importlib.import_module("tensorflow")
    layers = tf.keras.layers
    inputs = tf.keras.Input((224, 224, 3), batch_size=1)
    x = inputs
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        x = layers.MaxPool2D()(x)
    return tf.keras.Model(inputs, layers.Dense(1000)(layers.GlobalAveragePooling2D()(x)))


def mobilenet_v1():
    """The layers of MobileNetV1 1.0, batch normalization folded."""
    tf = importlib.import_module("tensorflow")
    layers = tf.keras.layers
    inputs = tf.keras.Input((224, 224, 3), batch_size=1)
    x = layers.Conv2D(32, 3, 2, "same", activation="relu")(inputs)
    # With the usual ones nothing would be left of the input behind so many layers.
    start = tf.keras.initializers.HeNormal(0)
    depthwise = tf.keras.initializers.RandomNormal(stddev=(2 / 9) ** 0.5, seed=0)
    before = 32
    for channels in (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024):
        stride = 2 if channels > max(before, 64) else 1
        before = channels
        x = layers.DepthwiseConv2D(
            3, stride, "same", activation="relu", depthwise_initializer=depthwise
        )(x)
        x = layers.Conv2D(channels, 1, activation="relu", kernel_initializer=start)(x)
    return tf.keras.Model(inputs, layers.Dense(1000)(layers.GlobalAveragePooling2D()(x)))


def squeezenet():
    """The layers of SqueezeNet 1.1, with its 227x227 input and pools that round up."""
    tf = importlib.import_module("tensorflow")
    layers = tf.keras.layers
    inputs = tf.keras.Input((227, 227, 3), batch_size=1)
    x = layers.Conv2D(64, 3, 2, activation="relu")(inputs)
    x = layers.MaxPool2D(3, 2)(x)
    for index, narrow in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        if index in (2, 4):
            x = layers.MaxPool2D(3, 2, "same")(x)
        x = layers.Conv2D(narrow, 1, activation="relu")(x)
        wide = [layers.Conv2D(4 * narrow, n, padding="same", activation="relu")(x) for n in (1, 3)]
        x = layers.Concatenate()(wide)
    x = layers.Conv2D(1000, 1, activation="relu")(x)
    return tf.keras.Model(inputs, layers.Softmax()(layers.GlobalAveragePooling2D()(x)))


# What this script can build, by name.
SHAPES = {
    "resnet18": resnet18,
    "vgg16": vgg16,
    "mobilenet_v1": mobilenet_v1,
    "squeezenet": squeezenet,
}


@dataclasses.dataclass(frozen=True)
class Chain:
    """Convolutions with distinct weights, as a network runs them: a single layer run over and over
    would keep its weights in cache and flatter kernels with large ones. SAME padding, depthwise
    ones with ReLU6.

    With stride 1 each reads the one before, there and back between the numbers of channels; else
    all read the model's input.
    """

    size: int
    inputs: int
    outputs: int
    filter: int = 3
    stride: int = 1
    depthwise: bool = False

    LAYERS = 5

    @classmethod
    def parse(cls, text: str) -> Chain:
        """``SIZExINxOUT[xFILTER[xSTRIDE]]``."""
        size, inputs, outputs, *rest = map(int, text.split("x"))
        return cls(size, inputs, outputs, *rest)

    @classmethod
    def parse_depthwise(cls, text: str) -> Chain:
        """``SIZExCHANNELS[xFILTER[xSTRIDE]]``."""
        size, channels, *rest = map(int, text.split("x"))
        return dataclasses.replace(cls(size, channels, channels, *rest), depthwise=True)

    @property
    def multiplications(self) -> int:
        """Of one layer."""
        inputs = 1 if self.depthwise else self.inputs
        return (-(-self.size // self.stride) * self.filter) ** 2 * inputs * self.outputs

    def __str__(self) -> str:
        tensor = f"{self.size}x{self.size}x{self.inputs}"
        tensor += " depthwise" if self.depthwise else f"->{self.outputs}"
        return f"{tensor} {self.filter}x{self.filter}/{self.stride}"

    def model(self) -> bytes:
        """In int8."""
        tf = importlib.import_module("tensorflow")
        layers, initializers = tf.keras.layers, tf.keras.initializers
        x = inputs = tf.keras.Input((self.size, self.size, self.inputs), batch_size=1)
        outputs = []
        for index in range(self.LAYERS):
            there = self.stride > 1 or index % 2 == 0
            fan_in = self.filter**2 * (self.inputs if there else self.outputs)
            if self.depthwise:
                start = initializers.RandomNormal(stddev=1 / self.filter, seed=index)
                layer = layers.DepthwiseConv2D(
                    self.filter,
                    self.stride,
                    "same",
                    activation=tf.nn.relu6,
                    depthwise_initializer=start,
                )
            else:
                start = initializers.RandomNormal(stddev=fan_in**-0.5, seed=index)
                channels = self.outputs if there else self.inputs
                layer = layers.Conv2D(
                    channels, self.filter, self.stride, "same", kernel_initializer=start
                )
            outputs.append(layer(inputs if self.stride > 1 else x))
            x = outputs[-1]
        return quantize(tf.keras.Model(inputs, outputs if self.stride > 1 else x))


# Operators without weights that are alone in a model, of one image, and of another of its shape or
# a filter's size and stride.
OPERATORS = {
    "ADD": lambda layers, x, y, *_: layers.Add()([x, y]),
    "MUL": lambda layers, x, y, *_: layers.Multiply()([x, y]),
    "LEAKY_RELU": lambda layers, x, *_: layers.LeakyReLU(0.1)(x),
    "LOGISTIC": lambda layers, x, *_: layers.Activation("sigmoid")(x),
    "PRELU": lambda layers, x, *_: layers.PReLU("random_normal", shared_axes=[1, 2])(x),
    "MAX_POOL_2D": lambda layers, x, _, *sizes: layers.MaxPool2D(*sizes)(x),
    "AVERAGE_POOL_2D": lambda layers, x, _, *sizes: layers.AveragePooling2D(*sizes)(x),
    "MEAN": lambda layers, x, *_: layers.GlobalAveragePooling2D()(x),
    "RESIZE_BILINEAR": lambda layers, x, *_: layers.UpSampling2D(interpolation="bilinear")(x),
}


@dataclasses.dataclass(frozen=True)
class Alone:
    """One of OPERATORS on a square of pixels."""

    kind: str
    sizes: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Alone:
        """``KIND:SIZExCHANNELS[xFILTERxSTRIDE]``."""
        kind, _, sizes = text.partition(":")
        if kind not in OPERATORS:
            raise ValueError(f"{kind} is none of {', '.join(OPERATORS)}")
        return cls(kind, tuple(map(int, sizes.split("x"))))

    def __str__(self) -> str:
        size, channels, *window = self.sizes
        return f"{self.kind} {size}x{size}x{channels} {'/'.join(map(str, window))}".rstrip()

    def model(self) -> bytes:
        """In int8."""
        tf = importlib.import_module("tensorflow")
        size, channels, *window = self.sizes
        inputs = [tf.keras.Input((size, size, channels), batch_size=1) for _ in range(2)]
        output = OPERATORS[self.kind](tf.keras.layers, *inputs, *window)
        return quantize(
            tf.keras.Model(inputs if self.kind in ("ADD", "MUL") else inputs[0], output)
        )


def quantize(model) -> bytes:
    tf = importlib.import_module("tensorflow")
    rng = np.random.default_rng(0)
    shapes = [(1, *tensor.shape[1:]) for tensor in model.inputs]
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rng.normal(size=shape).astype(np.float32) for shape in shapes] for _ in range(4)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with quiet():
        return converter.convert()


def load(name: str) -> bytes:
    if name in SHAPES:
        return quantize(SHAPES[name]())
    if name.endswith(".h5"):
        tf = importlib.import_module("tensorflow")
        return quantize(tf.keras.models.load_model(name, compile=False))
    return pathlib.Path(name).read_bytes()


def to_even_triplets(weights: np.ndarray) -> np.ndarray:
    """Weights that the 1-D kernel takes as triplets: w0+w1+w2 even, |w0 +- w1 + w2| <= 254."""
    w = weights.astype(np.int32) * 2 // 3
    odd = w.sum(axis=2) % 2 != 0
    w[:, :, 1] = np.where(odd, w[:, :, 1] + np.where(w[:, :, 1] > 0, -1, 1), w[:, :, 1])
    return w.astype(np.int8)


def to_int7(model: bytes, *, plain: bool = False) -> bytes:
    """The same network on coarser codes: activations in 0..127 behind a ReLU and in [-64, 63]
    elsewhere, 3x3 weights on the even-triplet lattice, or plain ones of 7 bits. For timing only."""
    schema = importlib.import_module("tensorflow.lite.python.schema_py_generated")
    parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    (graph,) = parsed.subgraphs
    coarser = (lambda w: w // 2) if plain else to_even_triplets
    for operator in graph.operators:
        code = parsed.operatorCodes[operator.opcodeIndex].builtinCode
        if code not in (
            schema.BuiltinOperator.CONV_2D,
            schema.BuiltinOperator.DEPTHWISE_CONV_2D,
            schema.BuiltinOperator.FULLY_CONNECTED,
        ):
            continue
        filter_tensor = graph.tensors[operator.inputs[1]]
        if code == schema.BuiltinOperator.CONV_2D and tuple(filter_tensor.shape[1:3]) == (3, 3):
            buffer = parsed.buffers[filter_tensor.buffer]
            weights = np.frombuffer(bytes(buffer.data), np.int8).reshape(filter_tensor.shape)
            buffer.data = np.frombuffer(coarser(weights).tobytes(), np.uint8)
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            bias_tensor = graph.tensors[operator.inputs[2]]
            buffer = parsed.buffers[bias_tensor.buffer]
            bias = np.frombuffer(bytes(buffer.data), np.int32) // 2
            buffer.data = np.frombuffer(bias.tobytes(), np.uint8)
            bias_tensor.quantization.scale = [s * 2 for s in bias_tensor.quantization.scale]
    # Results whose quantization TFLite prescribes.
    fixed = {
        output
        for operator in graph.operators
        if parsed.operatorCodes[operator.opcodeIndex].builtinCode
        in (schema.BuiltinOperator.SOFTMAX, schema.BuiltinOperator.LOGISTIC)
        for output in operator.outputs
    }
    for index, tensor in enumerate(graph.tensors):
        if index in fixed:
            continue
        data = parsed.buffers[tensor.buffer].data
        constant = data is not None and len(data) > 0
        if tensor.type == schema.TensorType.INT8 and not constant:
            tensor.quantization.scale = [tensor.quantization.scale[0] * 2]
            zero_point = tensor.quantization.zeroPoint[0]
            # As `tflite-eq quantize` makes them: 0..127 for what is never negative.
            tensor.quantization.zeroPoint = [
                0 if zero_point == -128 else int((zero_point + 128) // 2 - 64)
            ]
    packer = flatbuffers.Builder(1 << 20)
    packer.Finish(parsed.Pack(packer), b"TFL3")
    return bytes(packer.Output())
