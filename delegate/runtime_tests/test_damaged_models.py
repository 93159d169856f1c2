"""Models that are damaged, or beyond the delegate: it leaves what it cannot run, and the outcome
is the runtime's own.

Every model runs in a child process, alone and with the delegate, so that a crash is seen rather
than suffered.
"""

import multiprocessing

import flatbuffers
import numpy as np
import pytest
from one_conv_model import Chain, build, random_conv
from tflite_schema import schema

INPUT, FILTER, BIAS, OUTPUT = range(4)  # tensors of a model of one convolution


def chain(layers, *, shape=(1, 12, 12, 8), **kwargs):
    """3x3 convolutions, 8 -> 8, one after the other."""
    rng = np.random.default_rng(1)
    convs = [random_conv(rng, 8, 8, **kwargs) for _ in range(layers)]
    for conv in convs:
        conv.filter_scales = np.full(8, 0.01, np.float32)
    return build(Chain(shape, 0.05, 3, convs), all_outputs=True)


def opened(packed):
    """Its objects, with lists of indices that take whatever is put into them."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(packed, 0))
    graph = model.subgraphs[0]
    for holder in (graph, *graph.operators):
        holder.inputs, holder.outputs = list(holder.inputs), list(holder.outputs)
    return model


def edited(edit, *, layers=1):
    """A chain after `edit(model, tensors, data)`."""
    model = opened(chain(layers))
    graph = model.subgraphs[0]
    edit(model, graph.tensors, lambda tensor: model.buffers[graph.tensors[tensor].buffer])
    packer = flatbuffers.Builder(1 << 16)
    packer.Finish(model.Pack(packer), b"TFL3")
    return bytes(packer.Output())


def truncated_weights(model, tensors, data):
    data(FILTER).data = data(FILTER).data[:100]


def truncated_bias(model, tensors, data):
    data(BIAS).data = data(BIAS).data[:8]


def short_bias(model, tensors, data):
    data(BIAS).data = data(BIAS).data[:8]
    tensors[BIAS].shape = [2]
    tensors[BIAS].quantization = None


def absent_weights(model, tensors, data):
    tensors[FILTER].buffer = 0


def int16_activations(model, tensors, data):
    for tensor in (INPUT, OUTPUT):
        tensors[tensor].type = schema.TensorType.INT16
        tensors[tensor].quantization.zeroPoint = [0]
    bias = np.frombuffer(bytes(data(BIAS).data), np.int32).astype(np.int64)
    data(BIAS).data = np.frombuffer(bias.tobytes(), np.uint8)
    tensors[BIAS].type = schema.TensorType.INT64


def int16_weights(model, tensors, data):
    weights = np.frombuffer(bytes(data(FILTER).data), np.int8).astype(np.int16)
    data(FILTER).data = np.frombuffer(weights.tobytes(), np.uint8)
    tensors[FILTER].type = schema.TensorType.INT16


def uint8_activations(model, tensors, data):
    for tensor in (INPUT, OUTPUT):
        tensors[tensor].type = schema.TensorType.UINT8


def fewer_scales_than_channels(model, tensors, data):
    tensors[FILTER].quantization.scale = [0.01, 0.02]
    tensors[FILTER].quantization.zeroPoint = [0, 0]


def more_scales_than_channels(model, tensors, data):
    tensors[FILTER].quantization.scale = [0.01] * 11
    tensors[FILTER].quantization.zeroPoint = [0] * 11


def scales_of_another_dimension(model, tensors, data):
    tensors[FILTER].quantization.quantizedDimension = 3


def weights_with_zero_points(model, tensors, data):
    tensors[FILTER].quantization.zeroPoint = [1] * 8


def unquantized_input(model, tensors, data):
    tensors[INPUT].quantization = None


def unquantized_weights(model, tensors, data):
    tensors[FILTER].quantization = None


def scale_of_zero(model, tensors, data):
    tensors[OUTPUT].quantization.scale = [0.0]


def scale_that_is_no_number(model, tensors, data):
    tensors[FILTER].quantization.scale = [0.01] * 7 + [float("nan")]


def negative_scale(model, tensors, data):
    tensors[FILTER].quantization.scale = [0.01] * 7 + [-0.01]


def weights_that_are_an_input(model, tensors, data):
    tensors[FILTER].buffer = 0
    model.subgraphs[0].inputs = [INPUT, FILTER]


def channels_that_do_not_divide(model, tensors, data):
    tensors[INPUT].shape = [1, 12, 12, 9]


def input_of_three_dimensions(model, tensors, data):
    tensors[INPUT].shape = [12, 12, 8]


def image_smaller_than_the_filter(model, tensors, data):
    tensors[INPUT].shape = [1, 2, 2, 8]
    model.subgraphs[0].operators[0].builtinOptions.padding = schema.Padding.VALID


def absent_filter(model, tensors, data):
    model.subgraphs[0].operators[0].inputs = [INPUT, -1, BIAS]


def lone_input(model, tensors, data):
    model.subgraphs[0].operators[0].inputs = [INPUT]


def tensor_that_does_not_exist(model, tensors, data):
    model.subgraphs[0].operators[0].inputs = [INPUT, 99, BIAS]


# The kernel that takes every convolution the delegate can read.
REFERENCE = {"kernel": "reference", "isa": "scalar"}


def outcome(runtime, path, model, pipe, options=REFERENCE, shapes=(None,)):
    """Runs in the child: shapes and codes of the outputs for each shape of the input, None being
    the model's own, or the stage that failed."""
    rng = np.random.default_rng(2)
    stage = "load"
    results = []
    try:
        delegates = None
        if path is not None:
            delegates = [runtime.load_delegate(path, {"log_level": "2", **options})]
        interpreter = runtime.Interpreter(
            model_content=model,
            experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF,
            experimental_delegates=delegates,
        )
        for shape in shapes:
            stage = "allocate"
            if shape is not None:
                index = interpreter.get_input_details()[0]["index"]
                interpreter.resize_tensor_input(index, shape)
            interpreter.allocate_tensors()
            stage = "invoke"
            for details in interpreter.get_input_details():
                low, high = (-128, 128) if details["dtype"] == np.int8 else (0, 256)
                codes = rng.integers(low, high, details["shape"]).astype(details["dtype"])
                interpreter.set_tensor(details["index"], codes)
            interpreter.invoke()
            for details in interpreter.get_output_details():
                codes = interpreter.get_tensor(details["index"])
                results.append((codes.shape, codes.tolist()))
        pipe.send(("done", results))
    except (RuntimeError, ValueError) as error:
        pipe.send((stage, str(error)))


def run(runtime, path, model, *args):
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=outcome, args=(runtime, path, model, theirs, *args))
    child.start()
    theirs.close()
    try:
        result = ours.recv()
    except EOFError:
        result = ("crash", "")
    child.join()
    return result if child.exitcode == 0 else ("crash", f"exit code {child.exitcode}")


# What the delegate says of the node; where the runtime does not even load the model, it is not
# asked.
REFUSALS = {
    truncated_weights: "fewer values than its shape says",
    truncated_bias: "fewer values than its shape says",
    short_bias: "fewer values than its shape says",
    absent_weights: "filter is not a constant int8 tensor",
    int16_activations: "input is int16, not int8",
    int16_weights: "filter is int16, not int8",
    uint8_activations: "input is another type, not int8",
    fewer_scales_than_channels: "filter has 2 scales along dimension 0 for 8 output channels",
    more_scales_than_channels: "filter has 11 scales along dimension 0 for 8 output channels",
    scales_of_another_dimension: "filter has 8 scales along dimension 3 for 8 output channels",
    weights_with_zero_points: "filter has zero point 1 in channel 0",
    unquantized_input: "input has no affine quantization",
    unquantized_weights: "filter has no affine quantization",
    scale_of_zero: "output is not quantized per tensor with a positive scale",
    scale_that_is_no_number: "channel 7 has an effective scale of",
    negative_scale: "channel 7 has an effective scale of -",
    weights_that_are_an_input: "filter is not a constant int8 tensor",
    channels_that_do_not_divide: "grouped convolution: filter has 8 input channels, input 9",
    input_of_three_dimensions: "input has 3 dimensions, not 4",
    image_smaller_than_the_filter: "a 2x2 input is smaller than the filter",
    absent_filter: "malformed node: it has no filter",
    lone_input: "malformed node: 1 inputs and 1 outputs",
    tensor_that_does_not_exist: "malformed node: there is no tensor",
}


@pytest.mark.parametrize("edit", REFUSALS, ids=lambda edit: edit.__name__)
def test_node_is_refused_and_the_outcome_is_the_runtimes_own(runtime, delegate_path, edit, capfd):
    model = edited(edit)
    alone = run(runtime, None, model)
    capfd.readouterr()
    delegated = run(runtime, delegate_path, model)
    log = capfd.readouterr().err
    assert delegated == alone
    assert delegated[0] != "crash"
    assert REFUSALS[edit] in log or (
        alone[0] in ("load", "allocate") and "tflite_eq: node" not in log
    )


def test_the_model_is_claimed_before_it_is_damaged(runtime, delegate_path, capfd):
    model = edited(lambda model, tensors, data: None)
    alone = run(runtime, None, model)
    capfd.readouterr()
    delegated = run(runtime, delegate_path, model)
    assert "claimed 1 of 1 nodes" in capfd.readouterr().err
    assert delegated == alone
    assert alone[0] == "done"


def output_of(model, layer):
    return model.subgraphs[0].operators[layer].outputs[0]


def two_writers(model, tensors, data):
    graph = model.subgraphs[0]
    graph.operators[2].outputs = [output_of(model, 0)]
    graph.outputs = [output_of(model, 0), output_of(model, 1)]


def two_writers_of_different_sizes(model, tensors, data):
    two_writers(model, tensors, data)
    last = model.subgraphs[0].operators[2]
    last.inputs[0] = INPUT
    last.builtinOptions.strideH = last.builtinOptions.strideW = 5


def two_writers_of_an_output(model, tensors, data):
    graph = model.subgraphs[0]
    graph.operators[2].inputs[0] = INPUT
    graph.operators[1].outputs = graph.operators[2].outputs
    graph.outputs = [output_of(model, 2)]


def a_writer_that_is_not_claimed(model, tensors, data):
    two_writers(model, tensors, data)
    model.subgraphs[0].operators[2].inputs[1] = INPUT  # weights that are not constant


def an_output_that_is_none(model, tensors, data):
    graph = model.subgraphs[0]
    graph.outputs = [output_of(model, 0)]
    graph.operators[2].outputs = [-1]


def an_output_that_is_its_filter(model, tensors, data):
    last = model.subgraphs[0].operators[2]
    last.outputs = [last.inputs[1]]


def an_output_that_is_another_filter(model, tensors, data):
    first, last = model.subgraphs[0].operators[0], model.subgraphs[0].operators[2]
    first.outputs = [last.inputs[1]]


def readers_before_writers(model, tensors, data):
    model.subgraphs[0].operators.reverse()


def a_cycle(model, tensors, data):
    model.subgraphs[0].operators[0].inputs[0] = output_of(model, 2)


def an_input_that_is_written(model, tensors, data):
    model.subgraphs[0].operators[2].outputs = [INPUT]
    model.subgraphs[0].outputs = [output_of(model, 1)]


# Whether what the runtime computes is defined: if not, codes are left over from earlier.
NOT_IN_ORDER = {
    two_writers: True,
    two_writers_of_different_sizes: True,
    two_writers_of_an_output: True,
    a_writer_that_is_not_claimed: True,
    an_output_that_is_none: True,
    an_output_that_is_its_filter: True,
    an_output_that_is_another_filter: True,
    readers_before_writers: False,
    a_cycle: False,
    an_input_that_is_written: True,
}


@pytest.mark.parametrize("edit", NOT_IN_ORDER, ids=lambda edit: edit.__name__)
def test_nothing_is_claimed_of_a_model_that_is_not_in_order(runtime, delegate_path, edit, capfd):
    model = edited(edit, layers=3)
    alone = run(runtime, None, model)
    capfd.readouterr()
    delegated = run(runtime, delegate_path, model)
    log = capfd.readouterr().err
    assert delegated[0] == alone[0]
    assert alone[0] != "crash"
    if NOT_IN_ORDER[edit] or alone[0] != "done":
        assert delegated == alone
    # A model that the runtime does not load or prepare is shown to the delegate without the faulty
    # operator, or not at all.
    if alone[0] not in ("load", "allocate"):
        assert "the model is not in order" in log
        assert "tflite_eq: claimed 0 of" in log


KERNELS = [
    REFERENCE,
    {"kernel": "direct"},
    {"kernel": "winograd_f43"},
    {"kernel": "winograd_f43", "isa": "scalar", "num_threads": "3"},
    {"kernel": "winograd_f23"},
    {},
]


@pytest.mark.parametrize("options", KERNELS, ids=str)
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_empty_tensors_are_the_runtimes_own(runtime, delegate_path, padding, options):
    """A batch of 0, no rows, no columns, before and behind images that are none of it. Runtimes
    refuse some of them."""
    model = chain(2, padding=padding)
    image = (2, 9, 7, 8)
    for empty in [(0, 9, 7, 8), (1, 0, 7, 8), (1, 9, 0, 8), (0, 0, 0, 8), (1, 2, 7, 8)]:
        for shapes in [(empty,), (image, empty, image)]:
            alone = run(runtime, None, model, REFERENCE, shapes)
            delegated = run(runtime, delegate_path, model, options, shapes)
            if (
                alone[0] == "crash"
            ):  # valid padding before LiteRT: kernels that the delegate replaces
                assert delegated[0] != "crash" or options == {}, shapes
            elif alone[0] == "done":
                assert delegated == alone, shapes
            else:
                assert delegated[0] == alone[0], shapes


@pytest.mark.parametrize("options", KERNELS, ids=str)
def test_a_model_made_for_nothing_runs_on_images(runtime, delegate_path, options):
    for empty in [(0, 9, 7, 8), (1, 0, 7, 8), (1, 9, 0, 8)]:
        model = chain(2, shape=empty)
        shapes = (None, (2, 9, 7, 8), empty)
        alone = run(runtime, None, model, options, shapes)
        delegated = run(runtime, delegate_path, model, options, shapes)
        if alone[0] == "done":
            assert delegated == alone
        else:  # LiteRT: an image must have rows and columns
            assert delegated[0] == alone[0] == "allocate"
            assert empty[0] > 0


def test_a_filter_that_reaches_far_takes_no_more_memory(runtime, delegate_path):
    """Most of a wide dilation lies outside the image: rows that are nothing but padding."""
    for dilation in (1000, 30000):

        def dilated(model, tensors, data, dilation=dilation):
            model.subgraphs[0].operators[0].builtinOptions.dilationHFactor = dilation

        model = edited(dilated)
        alone = run(runtime, None, model)
        for options in KERNELS:
            assert run(runtime, delegate_path, model, options) == alone
