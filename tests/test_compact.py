"""Smaller copies of a model answer nearly as it does, or they are not written."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from small_project import model, project

from benchmarks import compact as benchmark
from landmarks import card, metrics
from landmarks.data.roles import labels, rows
from landmarks.errors import LandmarksError
from landmarks.files import write_json
from landmarks.prediction import Outputs
from landmarks.predictor import Predictor
from tools import compact

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photos that the small model was trained on, as `dvc repro` leaves them."""
    folder = tmp_path_factory.mktemp("project") / "data"
    shutil.copytree(project().folder / "photos", folder / "photos")
    project().photos.split.to_csv(folder / "split.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def copies(data: Path) -> dict[card.Precision, Path]:
    """Both copies of the small model."""
    made: dict[card.Precision, Path] = {}
    for precision in compact.PRECISIONS:
        made[precision] = data.with_name(precision)
        compact.write_copy(model(), made[precision], precision, compact.Photos(data))
    return made


def original() -> onnx.ModelProto:
    return onnx.load(model() / card.ONNX)


def stored() -> NDArray[np.uint8]:
    photos = project().photos
    return np.array(photos.store.pixels[rows(photos.split, "val")])


def simulated(folder: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return probabilities with all that is rounded in the file and computed in float32."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(folder / card.ONNX, options)
    photos = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    batches = (photos[start : start + 8] for start in range(0, len(photos), 8))
    return np.concatenate([session.run(None, {"pixels": batch})[0] for batch in batches])


def weights(folder: Path, kind: int) -> int:
    """Return how many numbers of a kind an ONNX file holds."""
    tensors = onnx.load(folder / card.ONNX).graph.initializer
    return sum(int(np.prod(one.dims)) for one in tensors if one.data_type == kind)


def test_only_what_lies_between_convolutions_loses_precision(
    copies: dict[card.Precision, Path],
) -> None:
    inside = compact.between_convolutions(original())
    by_name = {node.name: node.op_type for node in original().graph.node}
    kinds = {by_name[name] for name in inside}
    assert {"Conv", "Relu", "Add"} <= kinds
    assert not kinds & {"Resize", "Gemm", "MatMul", "Softmax"}
    assert all(name in inside for name, kind in by_name.items() if kind == "Conv")
    every = sum(weights(model(), kind) for kind in (onnx.TensorProto.FLOAT,))
    assert weights(copies["int8"], onnx.TensorProto.INT8) > 0.9 * every
    assert weights(copies["float16"], onnx.TensorProto.FLOAT16) > 0.9 * every


@pytest.mark.parametrize(
    ("precision", "smaller", "alike"),
    [("float16", 1.7, 0.98), ("int8", 2.2, 0.95)],
)
def test_a_copy_answers_nearly_as_the_model_does(
    copies: dict[card.Precision, Path], precision: card.Precision, smaller: float, alike: float
) -> None:
    copy = Predictor.load(copies[precision])
    whole = Predictor.load(model())
    assert copy.card.precision == precision and whole.card.precision == "float32"
    assert copy.card.thresholds == whole.card.thresholds
    assert copy.card.version != whole.card.version
    size, small = ((one / card.ONNX).stat().st_size for one in (model(), copies[precision]))
    assert small < size / smaller
    photos = np.array(project().photos.store.pixels)
    found, expected = copy.outputs(photos), whole.outputs(photos)
    named = expected.probabilities.argmax(1)
    same = found.probabilities.argmax(1) == named
    # 8-bit arithmetic is right on every processor: sums are whole, and means of what is there.
    exact = simulated(copies[precision], photos)
    assert np.abs(found.probabilities - exact).max() < 0.02
    assert same.mean() > alike and (found.known == expected.known).mean() > alike
    assert np.abs(found.probabilities.sum(1) - 1).max() < 1e-4
    assert found.probabilities.dtype == np.float32
    largest = np.abs(found.probabilities - expected.probabilities).max()
    assert (largest < 0.01) == (precision == "float16")  # 8 bits are seen, 16 are not


def test_somebody_makes_a_smaller_model_with_one_command(data: Path, tmp_path: Path) -> None:
    shutil.copytree(model(), tmp_path / "models/landmarks")
    (tmp_path / "data").symlink_to(data)
    described = card.read(model()).model_copy(update={"refit": True})
    write_json(tmp_path / "models/landmarks" / card.CARD, described.to_json())
    said = subprocess.run(
        [sys.executable, "-m", "tools.compact", "--precision", "float16"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    assert "models/landmarks-float16: " in said.stdout and " MB instead of " in said.stdout
    assert "note: the model learned from these photos, too (refit)" in said.stdout
    made = tmp_path / "models/landmarks-float16"
    assert sorted(path.name for path in made.iterdir()) == [card.ONNX, card.CARD]
    tree = json.loads((made / card.CARD).read_text())
    assert tree["precision"] == "float16" and tree["refit"] and tree["files"].keys() == {card.ONNX}
    assert Predictor.load(made).predict(np.asarray(stored()[0])).guesses
    with pytest.raises(LandmarksError, match=r"landmarks\.pt"):
        Predictor.load(made, "torchscript")


def test_a_copy_of_a_copy_or_onto_the_model_itself_is_refused(
    copies: dict[card.Precision, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = copies["int8"].with_name("data")
    with pytest.raises(LandmarksError, match="is int8 already"):
        compact.compact(copies["int8"], tmp_path / "new", "float16", compact.Photos(data))
    folder = str(model())
    onto = ["--precision", "int8", "--model", folder, "--to", f"{folder}/../{model().name}"]
    monkeypatch.setattr(sys, "argv", ["compact", *onto, "--data", str(data)])
    with pytest.raises(LandmarksError, match="is the model itself"):
        compact.main()
    assert card.read(model()).precision == "float32" and list(tmp_path.iterdir()) == []


def test_a_copy_that_is_clearly_worse_is_not_written(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "PERCENTILE", 20)  # clips four fifths of what is beyond 0
    with pytest.raises(LandmarksError, match="in int8 the model names"):
        compact.compact(model(), tmp_path / "small", "int8", compact.Photos(data))
    assert list(tmp_path.iterdir()) == []


def test_photos_of_other_landmarks_are_refused(data: Path, tmp_path: Path) -> None:
    other = shutil.copytree(data, tmp_path / "data")
    text = (other / "split.csv").read_text().replace("03.Sea_Arch", "03.Sea_Cave")
    (other / "split.csv").write_text(text)
    with pytest.raises(LandmarksError, match="other classes"):
        compact.compact(model(), tmp_path / "small", "float16", compact.Photos(other))
    assert not (tmp_path / "small").exists()


def test_the_benchmark_compares_all_on_validation_photos(data: Path) -> None:
    found = benchmark.compare(model(), compact.Photos(data), timed=5)
    assert list(found) == ["float32", "float16", "int8", benchmark.HALF]
    whole = found["float32"]
    assert (whole["same_name"], whole["times_smaller"], whole["times_faster"]) == (1, 1, 1)
    photos = project().photos
    truth = labels(photos.split, rows(photos.split, "val"))
    answers = Predictor.load(model()).probabilities(stored())
    assert whole["accuracy"] == pytest.approx((answers.argmax(1) == truth).mean(), abs=1e-6)
    assert whole["nll"] == pytest.approx(metrics.negative_log_likelihood(answers, truth), abs=1e-4)
    assert found["int8"]["times_smaller"] > found["float16"]["times_smaller"] > 1.5
    assert all(one["milliseconds"] > 0 for one in found.values())
    lines = benchmark.table(found).splitlines()
    assert len(lines) == 5 and lines[3].startswith("int8")


def test_what_a_copy_decides_otherwise_is_counted() -> None:
    """Four known photos and two of nothing: one gets another name, one is no longer known."""
    before = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.5, 0.5], [0.4, 0.6]])
    after = np.array(before)
    after[3] = 0.4, 0.6
    score = np.array([0.9, 0.9, 0.9, 0.9, 0.2, 0.8])
    lower = score - np.array([0, 0, 0.6, 0, 0, 0])
    original = Outputs(before.astype(np.float32), score, score >= 0.5)
    copy = Outputs(after.astype(np.float32), lower, lower >= 0.5)
    found = benchmark.quality(copy, original, np.array([0, 0, 1, 0]), threshold=0.65)
    assert (found["accuracy"], found["same_name"]) == (0.75, 0.75)
    assert found["known_kept"] == 0.75 and found["same_known"] == pytest.approx(5 / 6, abs=1e-6)
    assert found["safe_recall"] == 0.5 and found["same_safe"] == pytest.approx(5 / 6, abs=1e-6)
    assert found["negatives_named"] == 0.5 and found["auroc"] == 0.875
