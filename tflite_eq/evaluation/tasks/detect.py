"""Boxes: average precision and F1, matched by pycocotools.

Heads of detectors differ from network to network, and guessing their anchors would be guessing the
figure. Outputs of TFLite's own ``TFLite_Detection_PostProcess`` are taken as they are; of others
``--decode`` makes boxes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tflite_eq.arguments import is_integer
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.evaluation.tasks.average_precision import (
    IOUS,
    AveragePrecision,
    CategoryMatches,
    F1Score,
)
from tflite_eq.evaluation.tasks.base import (
    NetworkTask,
    Outputs,
    checked_option,
    listed_numbers,
    shown,
)
from tflite_eq.evaluation.tasks.figures import Entries, Figure, Pooled
from tflite_eq.graph.model import Graph

Double = npt.NDArray[np.float64]

POST_PROCESS = "CUSTOM:TFLite_Detection_PostProcess"
_TRANSPARENT = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE")

# Boxes that lie there are in pixels.
_FAR_OUTSIDE = 2.0

# Detections of an image that count, those with the best scores: COCO's number.
_MOST_DETECTIONS = 100


@dataclasses.dataclass(frozen=True)
class Boxes:
    """What was found, or is to be found, in one image.

    Attributes:
        corners: [boxes, 4]: ymin, xmin, ymax, xmax in [0, 1] of the image.
        classes: [boxes]: from 0.
        scores: [boxes]; 1 in ground truth.
        crowds: [boxes]: whether a box of the ground truth stands for many, and is neither found
            nor missed.
    """

    corners: Double
    classes: npt.NDArray[np.int64]
    scores: Double
    crowds: npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Detect(NetworkTask):
    """Boxes with classes and scores.

    Attributes:
        min_score: Score from which on a detection counts for F1, and from which on one of the float
            model is expected of others.
        first_category: Number that an annotation file has for the model's class 0.
        slots: Outputs that hold boxes, classes, scores and the number of detections; empty until
            the network is known.
    """

    min_score: float = 0.5
    first_category: int = 1
    slots: tuple[str, ...] = ()

    name: ClassVar[str] = "detect"
    takes: ClassVar[str] = (
        "the four outputs of TFLite_Detection_PostProcess, or what --decode module:function gives: "
        "boxes [n, 4] of ymin, xmin, ymax, xmax from 0 to 1, classes [n] from 0, scores [n]"
    )
    takes_truth: ClassVar[str] = (
        "boxes [n, 4] of ymin, xmin, ymax, xmax from 0 to 1, and classes [n] from 0"
    )

    def __post_init__(self) -> None:
        """Check the options, and that there is what matches boxes."""
        wanted = "a score from 0 to 1"
        checked_option(self.name, "min_score", 0 <= self.min_score <= 1, self.min_score, wanted)
        _library()

    def figures(self, has_truth: bool) -> tuple[Figure, ...]:
        """Average precision, that at an IoU of 0.5, and F1."""
        of = "of the ground truth" if has_truth else "that the float model finds"
        score = f"score of {self.min_score:g} or more"
        if not has_truth:
            of += f" with a {score}"
        return (
            Figure(
                "ap",
                "AP",
                "%",
                True,
                Pooled(_Matched(AveragePrecision())),
                2,
                f"average precision as COCO has it, against boxes {of}: mean over classes and IoU "
                "0.50:0.95, 101 recalls, 100 detections an image",
            ),
            Figure(
                "ap50",
                "AP50",
                "%",
                True,
                Pooled(_Matched(AveragePrecision(IOUS[:1]))),
                2,
                "the same at an IoU of 0.5",
            ),
            Figure(
                "f1",
                "F1",
                "%",
                True,
                Pooled(_Matched(F1Score(self.min_score))),
                2,
                f"of detections with a {score}, at an IoU of 0.5, all classes together",
            ),
        )

    def bound_to(self, graph: Graph, names: Sequence[str]) -> Detect:
        """Find what the outputs are by the operator that makes them."""
        found: dict[int, str] = {}
        for index, name in zip(graph.outputs, names):
            operator = graph.producer(index)
            while operator is not None and operator.kind in _TRANSPARENT:
                index = operator.inputs[0]
                operator = graph.producer(index)
            if operator is not None and operator.kind == POST_PROCESS:
                found[list(operator.outputs).index(index)] = name
        if sorted(found) != [0, 1, 2, 3]:
            return self
        return dataclasses.replace(self, slots=tuple(found[slot] for slot in range(4)))

    def select(self, outputs: Outputs) -> Any:
        """The outputs of the operator, as many entries as it says it has found."""
        if not self.slots:
            raise ModelError(
                f"task detect judges {self.takes}; the outputs are not those of the operator: "
                f"found {shown(outputs)}; write the function, from a dict of these arrays to the "
                "three, and name it with --decode module:function"
            )
        corners, classes, scores, count = (outputs[name] for name in self.slots)
        found = int(np.asarray(count).reshape(-1)[0])
        return (
            corners.reshape(-1, 4)[:found],
            np.rint(classes.reshape(-1)[:found]).astype(np.int64),
            scores.reshape(-1)[:found],
        )

    def form(self, value: Any) -> Boxes:
        """Boxes, classes and scores."""
        parts = self._parts(value, 3)
        boxes = _boxes(*parts)
        if boxes is None:
            raise ModelError(f"task detect judges {self.takes}; found {_shapes(parts)}")
        self._check_scale(boxes.corners)
        best = np.argsort(-boxes.scores, kind="stable")[:_MOST_DETECTIONS]
        return Boxes(*(field[best] for field in _fields(boxes)))

    def truth(self, value: Any) -> Boxes:
        """Boxes and classes."""
        if isinstance(value, Boxes):
            return value
        try:
            parts = self._parts(value, 2)
        except ModelError as error:
            raise DatasetError(str(error)) from error
        boxes = _boxes(*parts)
        if boxes is None:
            raise DatasetError(
                f"task detect: expected {self.takes_truth}, found {_shapes(parts)}; mend the "
                "ground truth"
            )
        try:
            self._check_scale(boxes.corners)
        except ModelError as error:
            raise DatasetError(str(error)) from error
        return boxes

    def _check_scale(self, corners: Double) -> None:
        """Refuse pixels: boxes around the image's edge reach a little beyond 0 and 1 only.

        Raises:
            ModelError: They are.
        """
        if corners.size and np.median(np.abs(corners)) > _FAR_OUTSIDE:
            raise ModelError(
                f"task detect: boxes are ymin, xmin, ymax, xmax from 0 to 1, found values up to "
                f"{np.abs(corners).max():.4g}; divide pixels by the height and width of the image"
            )

    def _parts(self, value: Any, count: int) -> list[Any]:
        names = ("boxes", "classes", "scores")[:count]
        if isinstance(value, Mapping) and all(name in value for name in names):
            return [value[name] for name in names]
        if isinstance(value, (tuple, list)) and len(value) == count:
            return list(value)
        raise ModelError(
            f"task detect: expected {', '.join(names)}, as a tuple or a dict of these names, found "
            f"a {type(value).__name__}; correct the function or the ground truth"
        )

    def expected(self, predicted: Any) -> Boxes:
        """The float model's detections that are sure enough."""
        sure = predicted.scores >= self.min_score
        return Boxes(*(field[sure] for field in _fields(predicted)))

    def scored(self, predicted: Any, expected: Any) -> tuple[Boxes, Boxes]:
        """Both: boxes are matched when all are known."""
        return predicted, expected

    def check(self, entries: Entries, has_truth: bool) -> None:
        """Refuse images in which nothing is to be found."""
        every = [expected.corners for _, expected in entries if len(expected.corners)]
        if every:
            ymin, xmin, ymax, xmax = np.concatenate(every).T
            if not ((ymax > ymin) & (xmax > xmin)).any():
                raise DatasetError(
                    "task detect: none of the expected boxes has an area; give ymin, xmin, ymax, "
                    "xmax, in this order"
                )
            return
        if has_truth:
            raise DatasetError(
                "task detect: the ground truth has no box in any of the samples; give images that "
                "show something"
            )
        scores = [predicted.scores.max(initial=0.0) for predicted, _ in entries]
        raise DatasetError(
            f"task detect: no detection of the float model reaches a score of {self.min_score:g} "
            f"in any of {len(entries)} samples (the best has {max(scores):.3g}); check the "
            f"preprocessing (--image_mean, --image_std), or give --task_option "
            f"min_score={0.9 * max(scores):.2g}"
        )

    def doubts(self, entries: Entries) -> tuple[str, ...]:
        """None of the classes found may be expected, or nothing may be found at all."""
        found, expected = (
            sorted({int(kind) for entry in entries for kind in entry[side].classes})
            for side in (0, 1)
        )
        if not found:
            return ("nothing is found in any sample; is the preprocessing right?",)
        if set(found) & set(expected):
            return ()
        return (
            f"none of the classes found ({listed_numbers(found)}) is among those expected "
            f"({listed_numbers(expected)}); does class 0 have another number in the annotations "
            "(--task_option first_category=0)?",
        )

    def read_annotations(self, path: Path, files: Sequence[str]) -> list[Boxes]:
        """The boxes of COCO's JSON for each of some images.

        Args:
            path: The annotations.
            files: Paths of the images, or what samples are called where they are no files: then
                the images of the annotations are those samples, in their order.

        Raises:
            DatasetError: It is no such file, or an image is not in it.
        """

        def read() -> list[Boxes]:
            annotations = _library()[0](str(path))
            chosen = _images_of(list(annotations.imgs.values()), files, path)
            return [
                _annotated(image, annotations.imgToAnns[image["id"]], self.first_category, path)
                for image in chosen
            ]

        found: list[Boxes] = _quietly(read, path)
        return found


def _fields(boxes: Boxes) -> tuple[Any, ...]:
    return boxes.corners, boxes.classes, boxes.scores, boxes.crowds


def _boxes(corners: Any, classes: Any, scores: Any = None) -> Boxes | None:
    """Boxes of these parts; ``None`` if they are of another kind or do not fit together."""
    try:
        found = np.asarray(corners, np.float64).reshape(-1, 4)
        kinds = np.asarray(classes)
        numbers = kinds.astype(np.int64).reshape(-1)
        sure = np.ones(len(found)) if scores is None else np.asarray(scores, np.float64).reshape(-1)
    except (TypeError, ValueError):
        return None
    if not len(found) == len(numbers) == len(sure) or (kinds != kinds.astype(np.int64)).any():
        return None
    if not (np.isfinite(found).all() and np.isfinite(sure).all()) or (numbers < 0).any():
        return None
    return Boxes(found, numbers, sure, np.zeros(len(found), np.bool_))


def _shapes(parts: Sequence[Any]) -> str:
    """What was given instead of boxes."""
    found = []
    for name, part in zip(("boxes", "classes", "scores"), parts):
        try:
            array = np.asarray(part)
            kind = f"{array.dtype.name} {list(array.shape)}"
        except ValueError:
            kind = type(part).__name__
        found.append(f"{name}: {kind}")
    return (
        f"{', '.join(found)}; as many of each are needed, finite, and classes that are whole "
        "numbers from 0"
    )


def _images_of(images: Sequence[Any], files: Sequence[str], path: Path) -> list[Any]:
    """The entry of each file among the images of the annotations."""
    if not any(Path(file).is_file() for file in files):
        if len(images) != len(files):
            raise DatasetError(
                f"{path}: has {len(images)} images, the samples are {len(files)} and no files that "
                "could be looked up; give as many, in the same order, or a folder of images"
            )
        return list(images)
    by_name: dict[str, Any] = {}
    for image in images:
        name = Path(str(image["file_name"])).name
        if name in by_name:
            raise DatasetError(
                f"{path}: two images are called {name}; images are looked up by their file names, "
                "so give each its own"
            )
        by_name[name] = image
    for file in files:
        if Path(file).name not in by_name:
            raise DatasetError(
                f"{path}: has no image with the file_name {Path(file).name}; name annotations of "
                f"the images in {Path(file).parent}, or leave that image out"
            )
    return [by_name[Path(file).name] for file in files]


def _annotated(image: Any, annotations: Sequence[Any], first: int, path: Path) -> Boxes:
    """The boxes of one image: COCO has x, y, width, height in pixels."""
    width, height = float(image["width"]), float(image["height"])
    if not (width > 0 and height > 0):
        raise ValueError(f"image {image['id']} is {width:g} wide and {height:g} high")
    boxes = np.array([one["bbox"] for one in annotations], np.float64).reshape(-1, 4)
    if len(boxes) != len(annotations) or not np.isfinite(boxes).all():
        raise ValueError(f"a bbox of image {image['id']} is not four numbers")
    if not all(is_integer(one["category_id"]) for one in annotations):
        raise ValueError(f"a category_id of image {image['id']} is no whole number")
    x, y, wide, high = boxes.T
    corners = np.stack([y / height, x / width, (y + high) / height, (x + wide) / width], axis=1)
    classes = np.array([one["category_id"] - first for one in annotations], np.int64)
    if (classes < 0).any():
        lowest = int(classes.min()) + first
        raise DatasetError(
            f"{path}: category {lowest} is below {first}, the number of the model's class 0; give "
            f"--task_option first_category={lowest}"
        )
    crowds = np.array([bool(one.get("iscrowd", 0)) for one in annotations], np.bool_)
    return Boxes(corners, classes, np.ones(len(classes)), crowds)


@dataclasses.dataclass(frozen=True)
class _Matched:
    """Makes matches of entries, and of these a figure.

    Attributes:
        figure: Takes the matches of every class.
    """

    figure: AveragePrecision | F1Score

    def __call__(self, entries: Entries) -> Any:
        return self.figure.over(_matches(entries))


def _matches(entries: Entries) -> list[CategoryMatches]:
    """Which detections are right, by class: pycocotools' matching."""
    coco_type, eval_type = _library()
    parts = [[], []]  # type: list[list[dict[str, Any]]]
    for number, (predicted, expected) in enumerate(entries):
        for found, boxes in zip(parts, (expected, predicted)):
            for corner, kind, score, crowd in zip(*_fields(boxes)):
                ymin, xmin, ymax, xmax = map(float, corner)
                wide, high = max(xmax - xmin, 0.0), max(ymax - ymin, 0.0)
                found.append(
                    {
                        "id": len(found) + 1,
                        "image_id": number,
                        "category_id": int(kind),
                        "bbox": [xmin, ymin, wide, high],
                        "area": wide * high,
                        "score": float(score),
                        "iscrowd": int(crowd),
                    }
                )
    classes = sorted({one["category_id"] for found in parts for one in found})

    def evaluated() -> Any:
        sides = []
        for found in parts:
            side = coco_type()
            side.dataset = {
                "images": [{"id": number} for number in range(len(entries))],
                "categories": [{"id": kind} for kind in classes],
                "annotations": found,
            }
            side.createIndex()
            sides.append(side)
        evaluation = eval_type(*sides, "bbox")
        evaluation.params.iouThrs = np.array(IOUS)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [_MOST_DETECTIONS]
        evaluation.evaluate()
        return evaluation

    evaluation = _quietly(evaluated)
    count = len(entries)
    return [
        CategoryMatches.of(evaluation.evalImgs[row * count : (row + 1) * count])
        for row in range(len(classes))
    ]


def _library() -> tuple[Any, Any]:
    """The types of pycocotools that hold boxes and match them.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ConfigError(
            f"task detect needs pycocotools ({error}): pip install 'tflite-eq[detection]'"
        ) from error
    return COCO, COCOeval


def _quietly(action: Any, path: Path | None = None) -> Any:
    """What an action of pycocotools gives, which says on stdout what it does."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return action()
    except (DatasetError, MemoryError):
        raise
    except Exception as error:  # whatever the library makes of what is in a file
        if path is None:
            raise
        raise _no_annotations(path, error) from error


def _no_annotations(path: Path, error: Exception) -> DatasetError:
    reason = f"{type(error).__name__}: {error}".split("\n")[0]
    return DatasetError(
        f"{path}: no annotations in COCO's form ({reason}); expected JSON with images (id, "
        "file_name, width, height), categories and annotations (image_id, category_id, bbox)"
    )
