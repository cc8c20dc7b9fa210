"""A built project of three colours, in seconds, and what a reader finds on its report."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from onnx import numpy_helper
from small_export import CLASSES, SHARPNESS, photos, write_card, write_export

from landmarks import card, files, metrics, plots
from landmarks.data import attribution as sources
from landmarks.data.photos import COLUMNS
from landmarks.data.store import PhotoStore
from landmarks.evaluation import run_export

CNNS = ("scratch", "transfer")
ROLES = ["train"] * 60 + ["val"] * 40 + ["test"] * 97 + ["dropped"] * 3
REASONS = ["near-duplicate of test photo 110", "near-duplicate of test photo 111", "it is cut off"]
NEGATIVES, KINDS = 40, ["street", "nature"]


def build(root: Path, *, negatives: bool = True, attribution: pd.DataFrame = sources.EMPTY) -> Path:
    """Write all that the report reads; photo 199 is refused, every tenth label is wrong."""
    pixels, labels = photos(200)
    grey = np.random.default_rng(8).integers(60, 130, (NEGATIVES, 8, 8, 3), dtype=np.uint8)
    pixels = np.concatenate([pixels, grey]).repeat(4, axis=1).repeat(4, axis=2)
    table = pd.DataFrame({name: [""] * len(pixels) for name in COLUMNS})
    table["id"] = np.arange(len(pixels))
    table["source"] = ["archive"] * 200 + ["negatives"] * NEGATIVES
    table["class"] = [CLASSES[label] for label in labels] + KINDS * (NEGATIVES // 2)
    table = table.assign(width=120, height=90, bytes=1, verdict="ok")
    for column in ("width", "height", "bytes"):
        table.loc[199, column] = 0
    table.loc[199, "verdict"] = "refused"
    pixels[199] = 0
    role = "negative_testing" if negatives else "negative_tuning"
    split = table[["id", "class"]].assign(role=ROLES + [role] * NEGATIVES, reason="")
    split.loc[197:199, "reason"] = REASONS
    (root / "data/photos").mkdir(parents=True)
    np.save(root / "data/photos/pixels.npy", pixels)
    table.to_csv(root / "data/photos/photos.csv", index=False)
    split.to_csv(root / "data/split.csv", index=False)
    attribution.to_csv(root / "data/attribution.csv")
    for cnn in CNNS:
        _model(root / "models" / cnn, cnn)
        _measure(root, cnn, labels, split)
    figures = files.read_json(root / "metrics/scratch.json")
    files.write_json(root / "metrics/released.json", figures | {"cnn": "scratch"})
    return root


def _model(folder: Path, cnn: str) -> None:
    """Write an export; that of `transfer` nearly overlooks blue."""
    write_export(folder)
    if cnn == "transfer":
        model = onnx.load(folder / card.ONNX)
        [factor] = [one for one in model.graph.initializer if one.name == "factor"]
        weak = np.array([1, 1, 0.32], np.float32) * np.float32(SHARPNESS / 255)
        factor.CopyFrom(numpy_helper.from_array(weak, "factor"))
        onnx.save(model, folder / card.ONNX)
        write_card(folder)


def _measure(root: Path, cnn: str, labels: np.ndarray, split: pd.DataFrame) -> None:
    store = PhotoStore.open(root / "data/photos")
    test = split.index[split["role"] == "test"].to_numpy(np.int64)
    others = split.index[split["class"].isin(KINDS)].to_numpy(np.int64)
    ours, theirs = (
        run_export(root / "models" / cnn, "onnx", store.pixels, ids, cnn) for ids in (test, others)
    )
    figures = metrics.summary(ours.probabilities, labels[test], 15)
    figures |= {"parameters": 3, "onnx_bytes": 1000 + len(cnn), "torchscript_bytes": 1}
    figures |= metrics.unknown_summary(
        ours.known_score, theirs.known_score, split.loc[others, "class"].to_numpy(str), 0.5
    )
    files.write_json(root / f"metrics/{cnn}.json", figures)
    files.write_json(root / f"metrics/{cnn}/validation.json", {"accuracy": 0.9, "n": 40})
    folder = root / "metrics" / cnn
    plots.write_tables(folder, ours.probabilities, labels[test], CLASSES, bins=15, pairs=20)
    curve = {"epoch": [1, 2], "lr": [0.1, 0.0], "train_loss": [1.0, 0.8], "val_loss": [0.9, 0.7]}
    plots.write_table(folder / "training.csv", pd.DataFrame(curve).assign(val_accuracy=[0.6, 0.8]))


class Page(HTMLParser):
    """What a reader finds: sections, pictures, links, galleries, and the cells of figures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: Counter[str] = Counter()
        self.galleries: dict[str, list[dict[str, str]]] = {}
        self.figures: dict[tuple[str, str], str] = {}
        self.lists: dict[str, str] = {}
        self._gallery = self._list = ""
        self._cell: tuple[str, str] | None = None
        self.feed(text)

    @property
    def charts(self) -> list[str]:
        """What each chart says that it shows."""
        return re.findall(r'<svg role="img" aria-label="([^"]+)"', self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.links += [found[name] for name in ("src", "href", "xlink:href") if name in found]
        self.ids += [found["id"]] if "id" in found else []
        if name := found.get("data-gallery"):
            self._gallery = name
            self.galleries[name] = []
        if tag == "img":
            self.galleries[self._gallery].append(found)
        self._list = found.get("data-list", found.get("data-verdicts", self._list))
        if "data-figure" in found:
            self._cell = (found["data-cnn"], found["data-figure"])

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.figures[self._cell] = data
            self._cell = None
        if self._list:
            self.lists[self._list] = self.lists.get(self._list, "") + data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("ul", "p"):
            self._list = ""
