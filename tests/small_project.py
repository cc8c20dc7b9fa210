"""A small project, made by code in seconds: photos, split, trained weights and their export."""

import atexit
import functools
import io
import itertools
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

from landmarks import catalogue, deployable, export, known, models, params, unknown
from landmarks.agreement import Difference
from landmarks.card import LearnedFrom
from landmarks.data import decode
from landmarks.data.roles import class_names, kinds, labels, rows
from landmarks.data.split import assign_splits
from landmarks.data.store import PhotoStore, read_table
from landmarks.inference import Normalized, run_module
from landmarks.predictor import Predictor

CLASSES = ("00.Red_Gate", "01.Tall_Mill", "02.Old_Bridge", "03.Sea_Arch")
SIZE, INPUT_SIZE = 48, 40
SPLIT = params.Split(
    seed=1,
    validation_share=0.3,
    test_share=0.2,
    near_duplicate_distance=0,
    exclude_licences=[],
)
CATALOGUE = """class,name,locality,country,country_code,latitude,longitude,kind
00.Red_Gate,Red Gate,Ostrava Nova,Vendria,XA,12.5,-45.25,gate
01.Tall_Mill,Tall Mill,"Quill, North",Vendria,XA,-1.5,170.125,windmill
02.Old_Bridge,Old Bridge,,,XB,,,bridge
"""


def picture(label: int, number: int) -> Image.Image:
    """Draw stripes whose direction and colour tell the class, under noise; sizes vary."""
    noise = np.random.default_rng(1000 * label + number)
    height, width = noise.integers(61, 300, 2)
    y, x = np.mgrid[:height, :width] / (12 + noise.integers(0, 6))
    wave = np.sin((x, y, x + y, x - y)[label] * 2 + noise.uniform(0, 6))
    pixels = 128 + wave[..., None] * 40 + noise.normal(0, 45, (height, width, 3))
    pixels += noise.normal(0, 25, 3)
    pixels[..., label % 3] += 18
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def nothing(kind: str, number: int) -> Image.Image:
    """Draw a picture that shows no stripes: noise, a few dots on grey, or plain grey."""
    random = np.random.default_rng(number)
    pixels = np.full((90, 120, 3), 90 + 8 * (number % 16), np.uint8)
    if kind == "noise":
        pixels = random.integers(0, 256, pixels.shape, dtype=np.uint8)
    elif kind == "dots":
        rows, columns = random.integers(4, 86, 9), random.integers(4, 116, 9)
        for row, column in zip(rows, columns, strict=True):
            pixels[row - 4 : row + 4, column - 4 : column + 4] = random.integers(0, 256, 3)
    return Image.fromarray(pixels)


def jpeg(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


@dataclass(frozen=True)
class Project:
    """What stands in the folder of a small project, before export."""

    folder: Path

    @property
    def weights(self) -> Path:
        return self.folder / "weights.safetensors"

    @property
    def photos(self) -> export.Photos:
        table = read_table(self.folder / "photos/photos.csv")
        split = assign_splits(table, SPLIT)
        archive = self.folder / "landmark_images.zip"
        return export.Photos(PhotoStore.open(self.folder / "photos"), split, archive)

    def parts(
        self,
        temperature: float = 0.8,
        method: str = "cosine",
        *,
        mirror: bool = False,
        exemplars: bool = False,
    ) -> deployable.Parts:
        """Calibrate as the stage does, but for the temperature, the method and the mirror."""
        found, statistics = calibration(self.folder, method, exemplars)
        changes = {"temperature": temperature, "mirror": mirror}
        return deployable.Parts(self.weights, statistics, found | changes)

    def export(self, folder: Path, temperature: float = 0.8) -> list[Difference]:
        """Export into `folder` as the stage does."""
        known = LearnedFrom(photos=3, authors=2, licences={"CC BY 4.0": 2, "unknown": 1})
        origin = export.Origin(False, {"split.csv": "0" * 64}, "1" * 64, known)
        places = catalogue.load(self.folder / "catalogue.csv")
        return export.export_cnn(self.parts(temperature), places, self.photos, origin, folder)


@functools.cache
def project() -> Project:
    """Make the small project once for all tests of a run."""
    folder = Path(tempfile.mkdtemp(prefix="landmarks-small-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with zipfile.ZipFile(folder / "landmark_images.zip", "w") as archive:
        for label, name in enumerate(CLASSES):
            for number in range(40):
                archive.writestr(f"{name}/{number:02}.jpg", jpeg(picture(label, number)))
    with zipfile.ZipFile(folder / "negatives.zip", "w") as archive:
        for kind in ("noise", "dots", "grey"):
            for number in range(16):
                archive.writestr(f"negatives/{kind}/{number:02}.jpg", jpeg(nothing(kind, number)))
    archives = {name: folder / f"{name}.zip" for name in ("landmark_images", "negatives")}
    decode.decode_archives(
        {"archive": archives["landmark_images"], "negatives": archives["negatives"]},
        folder / "photos",
        size=SIZE,
        workers=1,
    )
    (folder / "catalogue.csv").write_text(CATALOGUE)
    made = Project(folder)
    _train(made)
    return made


@functools.cache
def calibration(folder: Path, method: str, exemplars: bool) -> tuple[dict[str, Any], Path]:
    """Learn to tell known photos from noise and grey; the class statistics are left in a file."""
    photos = Project(folder).photos
    network, info = models.load_weights(folder / "weights.safetensors")
    body, classifier = known.split_head(network)
    module = Normalized(body, info.input_size, info.mean, info.std)
    roles = ("val", "negative_tuning", "train")
    val, none, train = (rows(photos.split, role) for role in roles)
    features = run_module(module, photos.store.pixels, np.concatenate([val, none, train]), "small")
    seen = unknown.Photos(
        labels(photos.split, val), kinds(photos.split, none), labels(photos.split, train)
    )
    chosen = {"mirror": False, "temperature": True, "known": method, "keep": 0.95, "precision": 0.9}
    chosen |= {"untuned_kinds": ["grey"]}
    settings = params.Calibrate.model_validate(chosen)
    fitted = unknown.fit(features, classifier, seen, settings, keep_photos=exemplars, bins=15)
    statistics = folder / f"statistics{'-exemplars' * exemplars}.safetensors"
    statistics.write_bytes(save(fitted.statistics))
    return fitted.calibration, statistics


@functools.cache
def model() -> Path:
    """Export the small project once for all tests of a run; tests copy what they change."""
    folder = project().folder / "model"
    project().export(folder)
    return folder


@functools.cache
def strangers(count: int) -> list[bytes]:
    """Return pictures that the small model takes for none of its landmarks, as JPEG files.

    So small a model is fooled by many a wall; how well a model tells is measured elsewhere.
    """
    predictor = Predictor.load(model())
    drawn = (jpeg(nothing(kind, n)) for n in range(64) for kind in ("grey", "dots", "noise"))
    unknown = (photo for photo in drawn if predictor.predict(photo).unknown)
    found = list(itertools.islice(unknown, count))
    assert len(found) == count, "the small model knows every picture"
    return found


def _train(made: Project) -> None:
    # The same weights whatever the tests before it set: sums differ with the number of threads.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _fit(made)
    finally:
        torch.set_num_threads(threads)


def _fit(made: Project) -> None:
    torch.manual_seed(1)
    photos = made.photos
    ids = rows(photos.split, "train")
    info = models.ModelInfo(
        cnn="scratch",
        architecture="scratch_cnn",
        options={"width": 8, "dropout": 0.1, "stochastic_depth": 0.0},
        classes=class_names(photos.split),
        input_size=INPUT_SIZE,
        mean=[0.5, 0.5, 0.5],
        std=[0.25, 0.25, 0.25],
        parameters=1,
        licence="trained from nothing",
    )
    network = models.build(info)
    module = Normalized(network, info.input_size, info.mean, info.std).train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=4e-3)
    pixels = torch.from_numpy(photos.store.pixels[ids]).permute(0, 3, 1, 2)
    truth = torch.from_numpy(labels(photos.split, ids))
    for _ in range(36):
        for batch in torch.randperm(len(ids)).split(16):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(pixels[batch]), truth[batch]).backward()
            optimizer.step()
    models.save_weights(made.weights, network.state_dict(), info)
