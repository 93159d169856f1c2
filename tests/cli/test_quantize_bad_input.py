"""What ``tflite-eq quantize`` refuses: in one line that names thing and remedy, leaving nothing."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests import models, running
from tests.cli.commands import Workspace
from tflite_eq import Config
from tflite_eq.checkpoint import run_identity
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph

# Models.


def test_no_such_model(workspace: Workspace) -> None:
    message = workspace.refused(model=workspace.folder / "absent.tflite")
    assert "absent.tflite: no such file; check the path of the model" in message


def test_file_that_is_no_flatbuffer(workspace: Workspace) -> None:
    message = workspace.refused(model=workspace.write("notes.tflite", b"some text, no model"))
    assert "notes.tflite: not a TFLite flatbuffer" in message


def test_empty_file(workspace: Workspace) -> None:
    message = workspace.refused(model=workspace.write("empty.tflite", b""))
    assert "empty.tflite: the file is empty" in message


@pytest.mark.parametrize("part", [0.001, 0.02, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.9999])
def test_truncated_file(workspace: Workspace, part: float) -> None:
    whole = models.conv_net()
    message = workspace.refused(
        model=workspace.write("cut.tflite", whole[: int(len(whole) * part)])
    )
    assert "cut.tflite" in message
    assert any(word in message for word in ("truncated", "inconsistent", "again", "not a TFLite"))


def test_already_quantized_model(workspace: Workspace) -> None:
    int8 = workspace.write("int8.tflite", running.quantized("conv_net").model)
    message = workspace.refused(model=int8)
    assert "int8.tflite" in message
    assert "already quantized" in message
    assert "float model" in message


@functools.cache
def qat_net() -> bytes:
    """What quantization-aware training leaves in the graph."""

    def network(x: Any) -> Any:
        x = tf.quantization.fake_quant_with_min_max_args(x, -3, 3)
        x = tf.nn.relu(models.conv(x, 8, seed=1))
        return tf.quantization.fake_quant_with_min_max_args(x, 0, 6)

    return models.convert(network, models.IMAGE)


def test_model_from_quantization_aware_training(workspace: Workspace) -> None:
    message = workspace.refused(model=workspace.write("qat.tflite", qat_net()))
    assert "quantization-aware training" in message
    assert "strip the quantization wrappers" in message


def test_strict_about_an_operator_without_an_int8_form(workspace: Workspace) -> None:
    island = workspace.write("sin.tflite", models.float_island_net())
    message = workspace.refused("--strict", model=island)
    assert "1 operator without an int8 form: SIN" in message
    remedy = message.rsplit("--skip '", 1)[1].rstrip("'")
    assert workspace.quantize("--strict", model=island, skip=remedy).code == 0
    assert workspace.output.exists()


def test_nothing_in_front_of_a_custom_operator(workspace: Workspace) -> None:
    generated = schema.schema()
    model = schema.parse(models.conv_net())
    model.operatorCodes[0].builtinCode = generated.BuiltinOperator.CUSTOM
    model.operatorCodes[0].deprecatedBuiltinCode = generated.BuiltinOperator.CUSTOM
    model.operatorCodes[0].customCode = b"MyKernel"
    message = workspace.refused(model=workspace.write("custom.tflite", schema.serialize(model)))
    assert "CUSTOM:MyKernel" in message
    assert "Replace it by builtin" in message


def test_tensorflow_select_operator_is_kept(workspace: Workspace) -> None:
    def network(x: Any) -> Any:
        return tf.math.cumprod(models.conv(x, 8))

    traced = tf.function(network, input_signature=[tf.TensorSpec(models.IMAGE, tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()], traced
    )
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    flex = workspace.write("flex.tflite", converter.convert())
    finished = workspace.quantize(model=flex)
    assert finished.code == 0
    assert "The installed runtime does not have CUSTOM:FlexCumprod" in finished.out
    assert Graph.from_bytes(workspace.output.read_bytes()).operators[-1].kind == (
        "CUSTOM:FlexCumprod"
    )


def test_layers_in_loops_alone(workspace: Workspace) -> None:
    def network(x: Any) -> Any:
        return tf.while_loop(
            lambda i, _: i < 3,
            lambda i, y: (i + 1, models.conv(y, 3)),
            [0, x],
            maximum_iterations=3,
        )[1]

    message = workspace.refused(
        model=workspace.write("loop.tflite", models.convert(network, models.IMAGE))
    )
    assert "nothing to quantize (1 WHILE have no int8 form" in message


def test_several_signatures(workspace: Workspace) -> None:
    class Two(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec(models.IMAGE, tf.float32)])
        def first(self, x: Any) -> Any:
            return models.conv(x, 4)

        @tf.function(input_signature=[tf.TensorSpec(models.IMAGE, tf.float32)])
        def second(self, x: Any) -> Any:
            return models.conv(x, 8)

    two = Two()
    signatures = {"first": two.first, "second": two.second}
    tf.saved_model.save(two, str(workspace.folder / "saved"), signatures)
    message = workspace.refused(model=workspace.folder / "saved")
    assert "'first', 'second'" in message
    assert "--signature first" in message


def test_several_inputs(workspace: Workspace) -> None:
    message = workspace.refused(model=workspace.write("two.tflite", models.two_input_net()))
    assert "has 2 inputs, 'x0' (float32 [1, 12, 12, 3]) and 'x1' (float32 [1, 5])" in message
    assert "--calibration x0=PATH --calibration x1=PATH" in message


def test_nothing_to_quantize(workspace: Workspace) -> None:
    plain = models.convert(lambda x: tf.nn.relu(x) + 1.0, models.IMAGE)
    message = workspace.refused(model=workspace.write("plain.tflite", plain))
    assert "no convolution or dense layer" in message


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.nan, "NaN or infinity"), (np.inf, "infinity|above 1e30"), (3e38, "values above 1e30")],
)
def test_weights_that_are_not_finite(workspace: Workspace, value: float, expected: str) -> None:
    filters = models.weights(3, 3, 3, 4)
    filters[0, 0, 0, 0] = value  # some versions write the largest float32 for infinity
    broken = models.convert(lambda x: tf.nn.conv2d(x, filters, 1, "SAME"), models.IMAGE)
    message = workspace.refused(model=workspace.write("broken.tflite", broken))
    assert "broken.tflite: constant" in message
    assert re.search(expected, message)


def test_folder_that_is_no_saved_model(workspace: Workspace) -> None:
    message = workspace.refused(model=workspace.folder)
    assert "no saved_model.pb" in message


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_keras_file_that_is_none(workspace: Workspace, name: str) -> None:
    message = workspace.refused(model=workspace.write(name, b"some text, no model"))
    assert f"{name}: not a Keras model" in message
    assert "model.save" in message


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_truncated_keras_file(workspace: Workspace, name: str) -> None:
    tf.keras.Sequential([tf.keras.layers.Input((4,)), tf.keras.layers.Dense(2)]).save(
        workspace.folder / name
    )
    whole = (workspace.folder / name).read_bytes()
    message = workspace.refused(model=workspace.write(name, whole[: len(whole) // 2]))
    assert f"{name}: the Keras file is cut off or damaged" in message
    assert "write or download it again" in message


# Calibration data.


def test_no_such_calibration_data(workspace: Workspace) -> None:
    message = workspace.refused(calibration=workspace.folder / "absent")
    assert "absent: no such file or folder" in message


def test_missing_calibration(workspace: Workspace) -> None:
    assert "give --calibration a folder" in workspace.refused(calibration=None)


def test_folder_without_images(workspace: Workspace) -> None:
    folder = workspace.folder / "images"
    folder.mkdir()
    assert "images: no images in this folder" in workspace.refused(calibration=folder)


def test_empty_array(workspace: Workspace) -> None:
    empty = workspace.array("empty.npy", np.zeros((0, 12, 12, 3), np.float32))
    assert "the data set is empty" in workspace.refused(calibration=empty)


def test_empty_list(workspace: Workspace) -> None:
    message = workspace.refused(calibration=workspace.write("list.txt", b"\n# nothing\n"))
    assert "the list names no images" in message


def test_array_of_another_shape(workspace: Workspace) -> None:
    wrong = workspace.array("wrong.npy", np.zeros((5, 12, 12, 1), np.float32))
    message = workspace.refused(calibration=wrong)
    assert "[N, 12, 12, 3]" in message
    assert "[5, 12, 12, 1]" in message


@pytest.mark.parametrize("dtype", ["int64", "bool", "complex64"])
def test_array_of_another_element_type(workspace: Workspace, dtype: str) -> None:
    wrong = workspace.array("wrong.npy", np.zeros((5, 12, 12, 3), dtype))
    message = workspace.refused(calibration=wrong)
    assert dtype in message
    assert "uint8 pixels" in message


def test_array_of_objects(workspace: Workspace) -> None:
    wrong = workspace.array("wrong.npy", np.array([{}, None], object))
    assert "wrong.npy" in workspace.refused(calibration=wrong)


def test_several_arrays_that_fit(workspace: Workspace) -> None:
    both = workspace.folder / "both.npz"
    np.savez(both, a=np.load(workspace.data), b=np.load(workspace.data))
    message = workspace.refused(calibration=both)
    assert "a: float32 [6, 12, 12, 3]; b: float32 [6, 12, 12, 3]" in message


def test_list_with_a_wrong_name(workspace: Workspace) -> None:
    message = workspace.refused(calibration=workspace.write("list.txt", b"absent.png\n"))
    assert "list.txt, line 1: no such image" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(workspace: Workspace, value: float) -> None:
    data = np.load(workspace.data)
    data[3, 1, 1, 1] = value
    message = workspace.refused(calibration=workspace.array("bad.npy", data))
    assert "bad.npy sample 3 holds NaN or infinity" in message


def test_data_on_which_the_network_overflows(workspace: Workspace) -> None:
    data = np.load(workspace.data)
    data[2] = 3e38
    message = workspace.refused(calibration=workspace.array("huge.npy", data))
    assert "sample 2" in message
    assert "preprocessing" in message


def test_unreadable_image(workspace: Workspace) -> None:
    folder = workspace.folder / "images"
    folder.mkdir()
    Image.new("RGB", (20, 20)).save(folder / "a.png")
    workspace.write("images/b.jpg", b"\xff\xd8\xff\xe0 not an image")
    message = workspace.refused(calibration=folder)
    assert "b.jpg: cannot be read as an image" in message
    assert "replace or remove" in message


def test_truncated_image(workspace: Workspace) -> None:
    folder = workspace.folder / "images"
    folder.mkdir()
    path = folder / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    assert "a.jpg: cannot be read as an image" in workspace.refused(calibration=folder)


def test_images_for_a_model_that_takes_none(workspace: Workspace) -> None:
    dense = workspace.write("dense.tflite", models.dense_net())
    folder = workspace.folder / "images"
    folder.mkdir()
    Image.new("RGB", (20, 20)).save(folder / "a.png")
    message = workspace.refused(model=dense, calibration=folder)
    assert "does not take images" in message
    assert ".npy or .npz" in message


def test_truncated_archive(workspace: Workspace) -> None:
    whole = workspace.folder / "whole.npz"
    np.savez(whole, x=np.load(workspace.data))
    cut = workspace.write("cut.npz", whole.read_bytes()[:2000])
    assert "cut.npz" in workspace.refused(calibration=cut)


# Outputs.


def test_output_folder_that_does_not_exist(workspace: Workspace) -> None:
    message = workspace.refused(output=workspace.folder / "absent" / "out.tflite")
    assert "absent does not exist; create it first" in message


def test_output_that_is_a_folder(workspace: Workspace) -> None:
    assert "it is a folder; name a file" in workspace.refused(output=workspace.folder)


def test_output_that_cannot_be_written(workspace: Workspace) -> None:
    assert "cannot write /proc/out.tflite" in workspace.refused(output="/proc/out.tflite")


def test_output_that_is_the_model(workspace: Workspace) -> None:
    before = workspace.model.read_bytes()
    assert "--output names the model itself" in workspace.refused(output=workspace.model)
    assert workspace.model.read_bytes() == before


@pytest.mark.parametrize(
    "flag",
    [
        "model",
        "calibration",
        "output",
        "save_calibration",
        "resume_dir",
        "report_dir",
        "validation",
    ],
)
def test_paths_that_the_system_says_nothing_about(workspace: Workspace, flag: str) -> None:
    """As where a folder above may not be entered, which tests run by root cannot have."""
    long = workspace.folder / ("a" * 300)
    flags = {"report_dir": workspace.folder / "report"} if flag == "validation" else {}
    message = workspace.refused(**{**flags, flag: long})
    assert str(long) in message
    assert "File name too long; " in message


def test_report_folder_that_is_a_file(workspace: Workspace) -> None:
    taken = workspace.write("taken", b"")
    for folder in (taken, taken / "below"):
        message = workspace.refused(report_dir=folder)
        assert "taken is a file; choose another folder" in message


def test_report_folder_that_is_not_writable(workspace: Workspace) -> None:
    message = workspace.refused(report_dir="/proc/report")
    assert "cannot write the report to /proc/report: /proc is not writable" in message
    assert "choose a folder you may write to" in message


def test_report_folder_is_looked_at_before_anything_is_loaded(workspace: Workspace) -> None:
    message = workspace.refused(report_dir="/proc/report", model=workspace.folder / "absent")
    assert "cannot write the report" in message


def test_resume_folder_of_another_model_version_or_cut_in_half(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workspace.folder / "state"
    assert workspace.quantize(resume_dir=folder).code == 0
    workspace.output.unlink()
    other = workspace.write("other.tflite", models.build("residual_net"))
    message = workspace.refused(resume_dir=folder, model=other)
    assert "state belongs to another run: model_sha256 is" in message
    assert "start afresh with a new folder" in message
    with monkeypatch.context() as patched:
        patched.setattr(run_identity, "__version__", "99.0")
        assert "99.0 here" in workspace.refused(resume_dir=folder)
    layer = folder / "layer_0002"
    layer.write_bytes(layer.read_bytes()[: layer.stat().st_size // 2])
    message = workspace.refused(resume_dir=folder)
    assert "layer_0002 is missing, cut off" in message
    assert "delete the resume folder" in message


def test_validation_without_a_report(workspace: Workspace) -> None:
    message = workspace.refused(validation=workspace.data)
    assert "--validation is for the report and the guard" in message
    assert "--report_dir" in message
    assert "--max_drop" in message


def test_labels_without_validation(workspace: Workspace) -> None:
    message = workspace.refused(labels="labels.csv", report_dir=workspace.folder / "report")
    assert "--labels are those of --validation" in message


def test_labels_that_the_model_has_no_class_for(workspace: Workspace) -> None:
    folder = workspace.folder / "images"
    folder.mkdir()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / "a.png")
    table = workspace.write("labels.csv", b"file,label\na.png,99\n")
    report = workspace.folder / "report"
    message = workspace.refused(validation=folder, labels=table, report_dir=report)
    assert "label 99 is outside 0..9, the classes of the model" in message


def test_existing_output_survives_a_failure(workspace: Workspace) -> None:
    workspace.output.write_bytes(b"earlier result")
    workspace.refused(skip="matches nothing")
    assert workspace.output.read_bytes() == b"earlier result"


# Options.


def test_expression_that_matches_nothing(workspace: Workspace) -> None:
    message = workspace.refused(skip="no_such_layer")
    assert "'no_such_layer' matches no operator output" in message
    assert "the first names are" in message


def test_expression_that_is_none(workspace: Workspace) -> None:
    assert "not a valid regular expression" in workspace.refused(skip="(")


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        ("bits", "4", "'8', '7', 'auto', '6', '5'"),
        ("target", "armv9", "armv8.2-dotprod"),
        ("method", "magic", "percentile"),
        ("objective", "l1", "cosine"),
        ("activation_mode", "none", "symmetric"),
        ("bias_correction", "maybe", "iterative"),
        ("io", "float16", "uint8"),
        ("num_samples", "0", "at least one"),
        ("num_samples", "many", "int"),
        ("seed", "-1", "2^32"),
        ("image_mean", "red", "expected one number, or one per channel"),
        ("image_std", "0", "must be > 0"),
        ("image_std", "nan", "finite"),
        ("image_resize", "fit", "'crop', 'stretch', 'letterbox'"),
        ("image_order", "grb", "'rgb', 'bgr'"),
        ("image_exif", "yes", "'apply', 'ignore'"),
        ("audio_rate", "0", "must be samples per second"),
        ("audio_rate", "fast", "int"),
    ],
)
def test_option_value_that_is_not_allowed(
    workspace: Workspace, flag: str, value: str, expected: str
) -> None:
    message = workspace.refused(**{flag: value})
    assert flag in message
    assert expected in message


def test_activations_balanced_for_scales_per_channel_that_are_not_there(
    workspace: Workspace,
) -> None:
    message = workspace.refused("--per_tensor", equalization="activations")
    assert "per_tensor, equalization: 'activations'" in message
    assert "choose equalization 'cross_layer'" in message


def test_unknown_option(workspace: Workspace) -> None:
    assert "--bit_width" in workspace.refused("--bit_width", "7")


def test_missing_output(workspace: Workspace) -> None:
    assert "--output" in workspace.refused(output=None)


def test_calibration_record_of_another_model(workspace: Workspace) -> None:
    record = workspace.folder / "record.json"
    running.quantized("dense_net").calibration.save(record)
    message = workspace.refused(calibration=None, load_calibration=record)
    assert "belongs to another model" in message
    assert "calibrate again" in message


def test_calibration_record_and_data(workspace: Workspace) -> None:
    record = workspace.folder / "record.json"
    running.quantized("conv_net").calibration.save(record)
    assert "exclude each other" in workspace.refused(load_calibration=record)


def test_number_of_samples_and_record(workspace: Workspace) -> None:
    message = workspace.refused(calibration=None, load_calibration="r.json", num_samples=5)
    assert "--num_samples and --load_calibration exclude each other" in message


def test_options_that_a_calibration_record_contradicts(workspace: Workspace) -> None:
    record = workspace.folder / "record.json"
    running.quantized("conv_net").calibration.save(record)
    message = workspace.refused("--bits", "7", calibration=None, load_calibration=record)
    assert "--bits 7: the loaded calibration record was made with 8" in message


def test_default_given_by_hand_contradicts_a_record_too(workspace: Workspace) -> None:
    record = workspace.folder / "record.json"
    running.quantized("conv_net", Config(bits="7", per_tensor=True)).calibration.save(record)
    message = workspace.refused("--bits", "8", calibration=None, load_calibration=record)
    assert "--bits 8: the loaded calibration record was made with 7" in message


def test_resume_folder_and_record(workspace: Workspace) -> None:
    record = workspace.folder / "record.json"
    running.quantized("conv_net").calibration.save(record)
    message = workspace.refused(
        "--resume_dir", workspace.folder / "r", calibration=None, load_calibration=record
    )
    assert "--resume_dir and --load_calibration exclude each other" in message


def test_resume_folder_of_another_run(workspace: Workspace) -> None:
    folder = workspace.folder / "resume"
    assert workspace.quantize("--resume_dir", folder).code == 0
    workspace.output.unlink()
    message = workspace.refused("--resume_dir", folder, bits="7")
    assert "resume belongs to another run: bits is 8 there and 7 here" in message


def test_options_that_are_no_part_of_a_published_setting(workspace: Workspace) -> None:
    for option, value, own in (
        ("activation_mode", "asymmetric", "symmetric"),
        ("bias_correction", "iterative", "none"),
    ):
        message = workspace.refused("--method", "easyquant-paper", f"--{option}", value)
        assert f"{option}: '{value}' does not go with the method 'easyquant-paper'" in message
        assert f"it is '{own}'; leave {option} out" in message


def test_unknown_backend(workspace: Workspace) -> None:
    assert "'torch'" in workspace.refused("--backend", "torch")


@pytest.mark.parametrize("name", ["auto", "tensorflow", "litert"])
def test_backend_of_earlier_versions_is_ignored_with_a_note(
    workspace: Workspace, name: str
) -> None:
    assert workspace.quantize().code == 0
    without = workspace.output.read_bytes()
    finished = workspace.quantize("--backend", name)
    assert finished.code == 0
    assert "--backend: ignored, and gone in the next version" in finished.err
    assert workspace.output.read_bytes() == without


def test_model_and_record_in_the_same_file(workspace: Workspace) -> None:
    assert "same file" in workspace.refused(save_calibration=workspace.output)


def test_regex_that_leaves_nothing_to_quantize(workspace: Workspace) -> None:
    assert "would be a float model" in workspace.refused(skip=".*")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2]", b'{"format": "other"}', b"\xff\xfe"])
def test_calibration_record_that_is_none(workspace: Workspace, content: bytes) -> None:
    record = workspace.write("record.json", content)
    message = workspace.refused(calibration=None, load_calibration=record)
    assert "record.json" in message


def test_truncated_calibration_record(workspace: Workspace) -> None:
    text = running.quantized("conv_net").calibration.to_text().encode()
    record = workspace.write("record.json", text[: len(text) // 2])
    message = workspace.refused(calibration=None, load_calibration=record)
    assert "cut off" in message


def test_no_such_calibration_record(workspace: Workspace) -> None:
    message = workspace.refused(calibration=None, load_calibration=Path("absent.json"))
    assert "absent.json: cannot read the calibration record" in message
