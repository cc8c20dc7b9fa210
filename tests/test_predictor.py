"""Whoever has a model gets an answer for any kind of photo, or a line that says why not."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from PIL import Image
from small_project import SIZE, jpeg, model, nothing, picture, strangers

from landmarks import Predictor
from landmarks.errors import LandmarksError
from landmarks.files import sha256

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(model())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the model that a test may spoil."""
    return Path(shutil.copytree(model(), tmp_path / "model"))


def test_a_photo_is_named_placed_and_given_a_confidence(predictor: Predictor) -> None:
    answer = predictor.predict(jpeg(picture(1, 77)), top_k=2)
    best = answer.best
    assert (best.class_name, best.name, best.place) == (
        "01.Tall_Mill",
        "Tall Mill",
        "Quill, North, Vendria",
    )
    assert (best.latitude, best.longitude, best.country_code) == (-1.5, 170.125, "XA")
    assert 0.5 < best.confidence <= 1
    assert len(answer.guesses) == 2 and answer.guesses[1].confidence < best.confidence
    assert answer.invented and answer.decision == "named" and answer.known_score >= 0.5
    assert answer.model == predictor.card.version


def test_paths_bytes_pil_images_and_arrays_give_one_answer(
    predictor: Predictor, tmp_path: Path
) -> None:
    drawn = picture(2, 50)
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    path = tmp_path / "photo.png"
    path.write_bytes(buffer.getvalue())
    photos = [path, str(path), buffer.getvalue(), bytearray(buffer.getvalue()), drawn]
    photos += [Image.open(path), np.asarray(drawn)]
    answers = [predictor.predict(photo) for photo in photos]
    assert all(answer == answers[0] for answer in answers)
    assert answers == predictor.predict_batch(photos)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "I;16"])
def test_pil_images_of_any_mode_are_read_upright(predictor: Predictor, mode: str) -> None:
    drawn = picture(0, 51)
    image = drawn.convert("L" if ";" in mode else mode)
    if ";" in mode:
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 256)
    assert image.mode == mode
    turned = image.transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6  # "turn me clockwise to see me upright"
    assert np.array_equal(predictor.prepare(turned), predictor.prepare(image))


GREY_MODES: dict[str, npt.DTypeLike] = {
    "I;16": np.uint16,
    "I;16B": ">u2",
    "I": np.int32,
    "F": np.float32,
}
LOSSLESS = [("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
TIFF_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", *GREY_MODES)
LOSSLESS += [("TIFF", mode) for mode in TIFF_MODES]
LOSSLESS += [("WEBP", "RGB"), ("WEBP", "RGBA"), ("GIF", "P"), ("BMP", "RGB"), ("JPEG2000", "RGB")]


def in_mode(drawn: Image.Image, mode: str) -> Image.Image:
    """Convert a picture; where there is room, grey takes 16 bits, and alpha fades to one side."""
    if mode in GREY_MODES:
        return Image.fromarray((np.asarray(drawn.convert("L")) * 250.5).astype(GREY_MODES[mode]))
    image = drawn.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


@pytest.mark.parametrize(("format", "mode"), LOSSLESS)
@pytest.mark.parametrize("loaded", [False, True])
def test_an_opened_pil_image_gives_the_pixels_of_its_file(
    predictor: Predictor, tmp_path: Path, format: str, mode: str, loaded: bool
) -> None:
    path = tmp_path / "photo"
    image = in_mode(picture(1, 77).resize((5 * SIZE, 7 * SIZE)), mode)
    assert image.mode == mode
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(path, format, exif=exif, lossless=True)
        with Image.open(io.BytesIO(path.read_bytes()) if loaded else path) as opened:
            if loaded:
                opened.load()
            assert np.array_equal(predictor.prepare(opened), predictor.prepare(path)), orientation


def test_a_pil_image_that_cannot_be_read_is_refused_with_the_reason(predictor: Predictor) -> None:
    cut = Image.open(io.BytesIO(jpeg(picture(1, 77))[:700]))
    closed = picture(1, 77)
    closed.close()
    for image, said in (
        (cut, "truncated"),
        (closed, "closed image"),
        (Image.new("RGB", (0, 5)), "empty"),
        (Image.new("LAB", (9, 9)), "unsupported colours"),
    ):
        with pytest.raises(LandmarksError, match=f"PIL image cannot be read as a photo: .*{said}"):
            predictor.prepare(image)


def test_more_photos_than_a_batch_keep_their_order(predictor: Predictor) -> None:
    photos = [picture(number % 4, number) for number in range(70)]
    batch = predictor.predict_batch(photos, top_k=1)
    singly = [predictor.predict(photo, top_k=1) for photo in photos]
    assert [one.best.class_name for one in batch] == [one.best.class_name for one in singly]
    assert np.allclose(
        [one.best.confidence for one in batch],
        [one.best.confidence for one in singly],
        atol=1e-5,
    )
    assert predictor.predict_batch([]) == []


def test_top_k_gives_all_classes_at_most_and_one_at_least(predictor: Predictor) -> None:
    guesses = predictor.predict(picture(3, 9), top_k=100).guesses
    assert len(guesses) == 4
    assert abs(sum(guess.confidence for guess in guesses) - 1) < 1e-5
    with pytest.raises(LandmarksError, match="top_k is 0"):
        predictor.predict(picture(3, 9), top_k=0)


def test_torchscript_gives_the_same_answer(predictor: Predictor) -> None:
    other = Predictor.load(model(), runtime="torchscript", threads=1)
    photo = picture(0, 33)
    for ours, theirs in zip(
        predictor.predict(photo).guesses, other.predict(photo).guesses, strict=True
    ):
        assert ours.class_name == theirs.class_name
        assert abs(ours.confidence - theirs.confidence) < 1e-5
    for drawn in (photo, nothing("noise", 40), nothing("grey", 40)):
        one, two = predictor.predict(drawn), other.predict(drawn)
        assert one.decision == two.decision and abs(one.known_score - two.known_score) < 1e-4


def test_photos_are_fed_at_the_size_of_the_stored_arrays(predictor: Predictor) -> None:
    assert predictor.prepare(picture(0, 1)).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (b"", "empty"),
        (b"GIF89a and then nothing", "damaged"),
        (b"hello", "not an image"),
        ("nowhere.jpg", "nowhere.jpg cannot be read as a photo: cannot be opened"),
        (np.zeros((4, 4), np.uint8), r"array of uint8 \(4, 4\)"),
        (np.zeros((4, 4, 3)), "array of float64"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        (7, "a int is no photo"),
    ],
)
def test_what_is_no_photo_is_refused_with_the_reason(
    predictor: Predictor, photo: object, said: str
) -> None:
    with pytest.raises(LandmarksError, match=said):
        predictor.predict(photo)


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / "landmarks.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "landmarks.onnx").write_bytes(content)


def edit_card(folder: Path, **changes: object) -> None:
    card = json.loads((folder / "model.json").read_text()) | changes
    (folder / "model.json").write_text(json.dumps(card))


LINES = {"precision": 0.97, "confidence": 0.5, "classes": [0.5] * 4}
ONE, LINES_OF_ONE = [{"class": "a", "name": "A"}], LINES | {"classes": [0.5]}
SPOILED: list[tuple[Callable[[Path], object], str]] = [
    (flip_a_byte, r"landmarks\.onnx is not the file .* not loaded.* `dvc pull --force"),
    (lambda f: os.truncate(f / "landmarks.onnx", 1000), r"landmarks\.onnx is not the file"),
    (lambda f: (f / "landmarks.onnx").unlink(), r"only in part.*`dvc pull .*` fetches the rest"),
    (lambda f: (f / "model.json").unlink(), r"no model in .*`dvc pull .*`make demo`"),
    (shutil.rmtree, r"no model in .*`dvc pull .*`make demo`"),
    (lambda f: (f / "model.json").write_text("{"), r"model\.json is damaged: it is not JSON"),
    (lambda f: (f / "model.json").write_text("[]"), r"model\.json is damaged"),
    (lambda f: edit_card(f, format_version=99), "format_version 99, and this program reads 2"),
    (lambda f: edit_card(f, classes=[]), r"model\.json is damaged: classes"),
    (lambda f: edit_card(f, known=None), r"model\.json is damaged: known"),
    (lambda f: edit_card(f, thresholds=LINES | {"classes": [0.5]}), "classes differ in length"),
    (lambda f: edit_card(f, files={}), r"damaged: files has no landmarks\.onnx"),
    (lambda f: edit_card(f, classes=ONE, thresholds=LINES_OF_ONE), "tells 4 classes apart"),
]


@pytest.mark.parametrize(("spoil", "said"), SPOILED)
def test_a_model_that_is_not_whole_is_never_loaded(
    folder: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(folder)
    with pytest.raises(LandmarksError, match=said):
        Predictor.load(folder)


def test_a_card_of_a_newer_program_with_more_fields_is_read(folder: Path) -> None:
    edit_card(folder, unknown_threshold=0.4)
    assert Predictor.load(folder).predict(picture(0, 1)).guesses


def test_what_shows_no_landmark_is_unknown_and_its_nearest_guesses_stay(
    predictor: Predictor,
) -> None:
    answers = predictor.predict_batch(strangers(3))
    assert all(answer.decision == "unknown" and answer.unknown for answer in answers)
    assert all(answer.known_score < predictor.card.known.threshold for answer in answers)
    assert all(len(answer.guesses) == 4 for answer in answers)


def test_a_name_is_safe_from_the_confidence_that_the_card_asks_for(folder: Path) -> None:
    photo = picture(1, 77)
    confidence = Predictor.load(folder).predict(photo).best.confidence
    for line, decision in ((confidence - 1e-3, "named"), (confidence + 1e-3, "unsure")):
        edit_card(folder, thresholds=LINES | {"confidence": min(line, 1.0)})
        assert Predictor.load(folder).predict(photo).decision == decision


def test_only_the_file_that_is_run_must_be_there(folder: Path) -> None:
    (folder / "landmarks.pt").unlink()
    assert Predictor.load(folder).predict(picture(0, 1)).guesses
    with pytest.raises(LandmarksError, match="only in part"):
        Predictor.load(folder, runtime="torchscript")


def put(folder: Path, name: str, content: bytes) -> None:
    """Replace a file of the model, and what the card says of it."""
    (folder / name).write_bytes(content)
    record = {"sha256": sha256(folder / name), "bytes": len(content)}
    card = json.loads((folder / "model.json").read_text())
    edit_card(folder, files=card["files"] | {name: record})


def test_a_file_that_onnx_runtime_cannot_run_is_an_error(folder: Path) -> None:
    put(folder, "landmarks.onnx", b"no model")
    with pytest.raises(LandmarksError, match=r"ONNX Runtime .* cannot run"):
        Predictor.load(folder)


def test_a_model_that_gives_no_answer_is_an_error_of_one_line(folder: Path) -> None:
    graph = onnx.load(folder / "landmarks.onnx")
    graph.graph.input[0].name = "images"
    for node in graph.graph.node:
        node.input[:] = ["images" if name == "pixels" else name for name in node.input]
    put(folder, "landmarks.onnx", graph.SerializeToString())
    said = r"landmarks\.onnx gives no answer: Required inputs \(\['images'\]\).*`dvc pull --force"
    with pytest.raises(LandmarksError, match=said):
        Predictor.load(folder)


def test_a_torchscript_that_gives_no_answer_is_an_error_of_one_line(folder: Path) -> None:
    torch.jit.script(torch.nn.Linear(7, 7)).save(folder / "landmarks.pt")
    put(folder, "landmarks.pt", (folder / "landmarks.pt").read_bytes())
    with pytest.raises(LandmarksError, match=r"landmarks\.pt gives no answer: \w+: mat1.*") as told:
        Predictor.load(folder, runtime="torchscript")
    assert "\n" not in str(told.value)


def test_want_of_memory_is_no_fault_of_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(*given: object) -> None:
        raise MemoryError

    monkeypatch.setattr("landmarks.predictor._onnx_forward", lambda *given, **more: forward)
    with pytest.raises(MemoryError):
        Predictor.load(folder)


def test_a_gpu_that_is_asked_for_is_never_silently_replaced(folder: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine's ONNX Runtime has one")
    with pytest.raises(LandmarksError, match="does not run .* on a GPU. Install onnxruntime-gpu"):
        Predictor.load(folder, cuda=True)


def test_unknown_runtimes_and_thread_counts_are_refused(folder: Path) -> None:
    with pytest.raises(LandmarksError, match=r"no runtime 'tensorrt'.* onnx, torchscript"):
        Predictor.load(folder, runtime="tensorrt")  # type: ignore[arg-type]
    with pytest.raises(LandmarksError, match="threads is 0"):
        Predictor.load(folder, threads=0)


PLAIN = """
import sys

TRAINING = ("torch", "torchvision", "dvc", "lightning", "lightning_fabric", "pandas", "sklearn",
            "scipy", "onnx", "onnxscript", "safetensors", "yaml")

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in TRAINING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from landmarks import Predictor, catalogue, card, cli, errors, images, predictor
from landmarks.errors import LandmarksError
answer = Predictor.load(sys.argv[1]).predict(sys.argv[2])
print(answer.best.name)
try:
    Predictor.load(sys.argv[1], runtime="torchscript")
except LandmarksError as error:
    print(error)
"""


def test_a_plain_installation_answers_without_pytorch(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg(picture(1, 77)))
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(model()), str(photo)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    name, refusal = done.stdout.splitlines()
    assert name == "Tall Mill"
    assert "torchscript needs PyTorch" in refusal and "onnx" in refusal


def test_a_prediction_leaves_nothing_in_the_home_of_its_user(tmp_path: Path) -> None:
    code = "import sys; from landmarks import Predictor; Predictor.load(sys.argv[1])"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "XDG_"))}
    command = [sys.executable, "-c", code, str(model())]
    subprocess.run(command, cwd=ROOT, env={**kept, "HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.rglob("*")) == []
