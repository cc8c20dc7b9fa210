"""Answers from an exported model: photos in, named places with calibrated confidence out."""

import importlib
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from landmarks import card as cards
from landmarks import images
from landmarks.card import ModelCard
from landmarks.errors import LandmarksError
from landmarks.prediction import DEMONSTRATION, Decision, Guess, Outputs, Prediction

__all__ = [
    "DEFAULT_FOLDER",
    "DEMONSTRATION",
    "Guess",
    "Outputs",
    "Prediction",
    "Predictor",
]

Runtime = Literal["onnx", "torchscript"]
RUNTIMES: tuple[Runtime, ...] = ("onnx", "torchscript")
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
DEFAULT_FOLDER = "models/landmarks"

BATCH = 32
"""Photos a forward pass: more gains nothing on a CPU and costs memory."""

_Forward = Callable[[NDArray[np.uint8]], Outputs]


class Predictor:
    """An exported model, ready to answer. Safe to use from several threads.

    Attributes:
        card: what `model.json` says of the model.
        runtime: what runs it.
    """

    def __init__(self, card: ModelCard, forward: _Forward, runtime: Runtime) -> None:
        self.card = card
        self.runtime = runtime
        self._forward = forward
        self._version = card.version

    @classmethod
    def load(
        cls,
        folder: str | Path = DEFAULT_FOLDER,
        runtime: Runtime = "onnx",
        threads: int | None = None,
        cuda: bool = False,
    ) -> Self:
        """Load the model in `folder`, if its file is the one that `model.json` describes.

        Args:
            folder: holds `model.json` and the model files.
            runtime: `onnx` needs no PyTorch; `torchscript` does.
            threads: CPU threads of one forward pass; None lets the runtime choose.
            cuda: whether `onnx` runs on a GPU of NVIDIA's; needs onnxruntime-gpu.

        Raises:
            LandmarksError: no model there, fetched in part, damaged or tampered with, of a format
                that this version does not know, one that gives no answer, or a runtime that is not
                installed.
        """
        if runtime not in RUNTIMES:
            raise LandmarksError(
                f"there is no runtime {runtime!r}", hint=f"Choose one of: {', '.join(RUNTIMES)}."
            )
        if threads is not None and threads < 1:
            raise LandmarksError(f"threads is {threads}", hint="Give 1 or more.")
        card = cards.read(folder)
        starts: dict[str, tuple[Callable[..., _Forward], str]] = {
            "onnx": (partial(_onnx_forward, cuda=cuda), cards.ONNX),
            "torchscript": (_torchscript_forward, cards.TORCHSCRIPT),
        }
        start, name = starts[runtime]
        content = cards.read_verified(folder, name, card)
        predictor = cls(card, start(content, threads, Path(folder) / name), runtime)
        predictor._try(Path(folder) / name)
        return predictor

    @classmethod
    def from_repo(
        cls,
        url: str | Path,
        rev: str | None = None,
        *,
        folder: str = DEFAULT_FOLDER,
        runtime: Runtime = "onnx",
        threads: int | None = None,
        remote_config: Mapping[str, Any] | None = None,
    ) -> Self:
        """Load a model from a DVC repository, such as version `rev="landmarks@v1.0.0"`.

        Only the files that `runtime` needs are fetched, each time anew; `dvc get` keeps them.
        See `load` for `runtime` and `threads`, and `repository.fetch` for the rest; needs DVC.

        Raises:
            LandmarksError: as `load` and `repository.fetch`.
        """
        # By name: a stage that loads a model has this module for no dependency, as it fetches none.
        repository = importlib.import_module("landmarks.repository")
        name = {"onnx": cards.ONNX, "torchscript": cards.TORCHSCRIPT}.get(runtime, cards.ONNX)
        with tempfile.TemporaryDirectory(prefix="landmarks-") as place:
            names = (cards.CARD, name)
            repository.fetch(url, rev, folder, names, Path(place), remote_config)
            return cls.load(place, runtime, threads)

    def predict(self, photo: Any, top_k: int = 5) -> Prediction:
        """Say what one photo shows. See `prepare` for `photo` and `classify` for the rest."""
        return self.classify(self.prepare(photo)[np.newaxis], top_k)[0]

    def predict_batch(self, photos: Sequence[Any], top_k: int = 5) -> list[Prediction]:
        """Say what several photos show; memory is bounded, however many they are.

        Raises:
            LandmarksError: one of them cannot be read. `prepare` them one by one to go on.
        """
        predictions: list[Prediction] = []
        for start in range(0, len(photos), BATCH):
            pixels = [self.prepare(photo) for photo in photos[start : start + BATCH]]
            predictions += self.classify(np.stack(pixels), top_k)
        return predictions

    def prepare(self, photo: Any) -> NDArray[np.uint8]:
        """Decode a photo to what the model is fed.

        Args:
            photo: the path of an image file, its bytes, a PIL image, or uint8 (H, W, 3) RGB.

        Returns:
            uint8 (S, S, 3) RGB, S being `card.input.size`.

        Raises:
            LandmarksError: it cannot be read as a photo; says why.
        """
        size = self.card.input.size
        if isinstance(photo, np.ndarray):
            if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or not photo.size:
                raise LandmarksError(
                    f"an array of {photo.dtype} {photo.shape} is no photo",
                    hint="Give uint8 (height, width, 3) in RGB order.",
                )
            return images.resize(np.ascontiguousarray(photo), size)
        if isinstance(photo, bytes | bytearray | str | Path):
            return images.load(bytes(photo) if isinstance(photo, bytearray) else photo, size)[0]
        if hasattr(photo, "getexif"):
            return images.load_image(photo, size)
        raise LandmarksError(
            f"a {type(photo).__name__} is no photo",
            hint="Give a path, the bytes of a file, a PIL image, or a uint8 array (H, W, 3).",
        )

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the model, and return the first of its `outputs`."""
        return self.outputs(pixels).probabilities

    def outputs(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Run the model on uint8 (N, H, W, 3) RGB, any N, H and W of at least 1."""
        answers = [self._forward(batch) for batch in _batches(pixels)]
        return Outputs(*(np.concatenate(part) for part in zip(*answers, strict=True)))

    def classify(self, pixels: NDArray[np.uint8], top_k: int = 5) -> list[Prediction]:
        """Say what prepared photos show.

        Args:
            pixels: uint8 (N, S, S, 3), from `prepare`.
            top_k: guesses a photo, at least 1; of fewer classes all are given.

        Raises:
            LandmarksError: `top_k` is below 1.
        """
        if top_k < 1:
            raise LandmarksError(f"top_k is {top_k}", hint="Ask for 1 guess or more.")
        answers = zip(*self.outputs(pixels), strict=True)
        return [self._answer(row, float(score), known, top_k) for row, score, known in answers]

    def _try(self, path: Path) -> None:
        """Let the model answer once.

        Raises:
            LandmarksError: it cannot, or has other classes than its card.
        """
        again = f"`dvc pull --force {path.parent}` fetches the model again."
        try:
            answered = self._forward(np.zeros((1, 3, 1, 1), np.uint8)).probabilities.shape[-1]
        except MemoryError:  # no fault of the file
            raise
        except Exception as error:  # noqa: BLE001 - the runtimes raise nearly anything
            said = f"{path} gives no answer: {_in_a_line(error)}"
            raise LandmarksError(said.rstrip("."), hint=again) from error
        if answered != len(self.card.classes):
            raise LandmarksError(
                f"{path} tells {answered} classes apart, but {cards.CARD} names "
                f"{len(self.card.classes)}",
                hint=again,
            )

    def _answer(
        self, row: NDArray[np.float32], score: float, known: bool, top_k: int
    ) -> Prediction:
        # Stable, so that equal probabilities come in the order of the classes.
        order = np.argsort(-row, kind="stable")[:top_k]
        guesses = [
            Guess(**self.card.classes[index].model_dump(), confidence=float(row[index]))
            for index in order
        ]
        sure = guesses[0].confidence >= self.card.thresholds.confidence
        decision: Decision = ("named" if sure else "unsure") if known else "unknown"
        return Prediction(
            guesses=guesses,
            decision=decision,
            known_score=score,
            invented=self.card.invented,
            model=self._version,
        )


def _batches(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(pixels), BATCH):
        yield np.ascontiguousarray(pixels[start : start + BATCH].transpose(0, 3, 1, 2))


def _in_a_line(error: Exception) -> str:
    """Return what a runtime says is wrong; PyTorch does so below a traceback."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return said[-1 if any("Traceback" in line for line in said) else 0]


def _onnx_forward(content: bytes, threads: int | None, path: Path, cuda: bool) -> _Forward:
    # Or it tells its maker of every use, under a number of this machine that it keeps in the home.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort

    ort.set_default_logger_severity(3)
    wanted = [_CUDA, _CPU] if cuda else [_CPU]
    providers = [name for name in wanted if name in ort.get_available_providers()]
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    # Sums of 8-bit products would be cut off on x86 processors without VNNI. Others ignore it.
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        session = ort.InferenceSession(content, options, providers=providers)
    except Exception as error:  # noqa: BLE001 - it has no common base class for its errors
        raise LandmarksError(
            f"ONNX Runtime {ort.__version__} cannot run {path}: {error}",
            hint="Install a newer onnxruntime.",
        ) from error
    if session.get_providers()[0] != wanted[0]:  # it falls back to the CPU and says nothing
        raise LandmarksError(
            f"ONNX Runtime {ort.__version__} does not run {path} on a GPU",
            hint="Install onnxruntime-gpu in place of onnxruntime, or ask for no GPU.",
        )

    def forward(pixels: NDArray[np.uint8]) -> Outputs:
        return Outputs(*map(np.asarray, session.run(cards.OUTPUTS, {"pixels": pixels})))

    return forward


def _torchscript_forward(content: bytes, threads: int | None, path: Path) -> _Forward:
    try:
        import torch
    except ImportError as error:
        raise LandmarksError(
            "the runtime torchscript needs PyTorch, which is not installed",
            hint='Use the runtime onnx, or `pip install ".[train]"` in the project.',
        ) from error
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that TorchScript is deprecated
            module = torch.jit.load(io.BytesIO(content), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise LandmarksError(
            f"PyTorch {torch.__version__} cannot load {path}: {error}",
            hint="Install the version that model.json names under versions, or a newer one.",
        ) from error

    def forward(pixels: NDArray[np.uint8]) -> Outputs:
        with torch.inference_mode():
            return Outputs(*(part.numpy() for part in module(torch.from_numpy(pixels))))

    return forward
