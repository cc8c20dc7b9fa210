"""From material to the page: one HTML file that needs nothing beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from landmarks.report import (
    confusion_chart,
    credits,
    evidence,
    galleries,
    photo_charts,
    result_charts,
    words,
)
from landmarks.report.material import Cnn, Material
from landmarks.report.style import COLOURS

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """A figure of both CNNs: its key in the metrics files, what it is, and how it is written."""

    key: str
    label: str
    kind: str


FIGURES = (
    Row("accuracy", "right landmark first", "share"),
    Row("accuracy_low", "… 95 % interval, from", "share"),
    Row("accuracy_high", "… to", "share"),
    Row("top5_accuracy", "right landmark among five", "share"),
    Row("macro_f1", "F1, every landmark counting the same", "number"),
    Row("nll", "surprise at the truth (NLL, nats)", "number"),
    Row("ece", "error of the confidence (ECE)", "number"),
    Row("ece_perfect", "… of perfect confidence, 95th percentile", "number"),
    Row("auroc", "known against none (AUROC)", "number"),
    Row("known_kept", "known photos that keep a name", "share"),
    Row("negatives_named", "photos of none that get a name", "share"),
    Row("precise_precision", "sure names that are right", "share"),
    Row("precise_recall", "photos that get a sure, right name", "share"),
    Row("parameters", "weights, millions", "millions"),
    Row("onnx_bytes", "ONNX file, MB", "millions"),
    Row("gflops", "GFLOPs a photo, two for each multiply-add", "number"),
    Row("n", "test photos", "count"),
)
"""Those that a metrics file has are shown, in this order."""


def written(value: float, kind: str) -> str:
    """Write a figure as the table of the page does."""
    if kind == "share":
        return f"{100 * value:.1f} %"
    return {"number": f"{value:.3f}", "millions": f"{value / 1e6:.2f}", "count": f"{value:,.0f}"}[
        kind
    ]


def figures(material: Material) -> list[tuple[Row, list[tuple[str, str]]]]:
    """Return the rows of the table of figures: each with a cell for each CNN."""
    found = []
    for row in FIGURES:
        if all(row.key in cnn.figures for cnn in material.cnns):
            cells = [(cnn.name, written(cnn.figures[row.key], row.kind)) for cnn in material.cnns]
            found.append((row, cells))
    return found


def render(material: Material) -> str:
    """Return the page: the same text for the same material, without a link to anywhere."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((_HERE / "page.html").read_text(encoding="utf-8"))
    photos, results = _photos(material), _results(material)
    cnns = [_of_cnn(material, cnn) for cnn in material.cnns]
    return template.render(
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        colours=COLOURS,
        material=material,
        percent=galleries.percent,
        **photos,
        **results,
        cnns=cnns,
        shares=credits.shares(material),
        credits=credits.listed(one.credit for one in _shown(photos, results, cnns)),
    )


def _shown(
    photos: dict[str, Any], results: dict[str, Any], cnns: list[dict[str, Any]]
) -> Iterator[galleries.Tile | evidence.Look]:
    """Yield every photo of the page."""
    for name in ("grid", "copies", "suspects"):
        yield from photos[name]
    yield from results["looks"]
    for cnn in cnns:
        for name in ("mistakes", "alone", "negatives"):
            yield from cnn[name]


def _photos(material: Material) -> dict[str, Any]:
    refused = int((material.store.table["verdict"] != "ok").sum())
    return {
        "grid": galleries.sample_grid(material),
        "balance": photo_charts.balance(material),
        "shapes": photo_charts.shapes(material),
        "roles": galleries.roles(material),
        "left_out": galleries.left_out(material),
        "refused": refused,
        "copies": galleries.copies(material),
        "suspects": galleries.likeliest_label_errors(material),
    }


def _results(material: Material) -> dict[str, Any]:
    accuracy_curve, loss_curve = result_charts.curves(material)
    agreement, counts = result_charts.agreement(material)
    return {
        "headline": words.headline(material),
        "figures": figures(material),
        "accuracy": result_charts.accuracy(material),
        "accuracy_curve": accuracy_curve,
        "loss_curve": loss_curve,
        "refit": [cnn.name for cnn in material.cnns if cnn.card.refit],
        "recall": result_charts.recall(material),
        "extremes": galleries.extremes(material),
        "agreement": agreement,
        "agreed": counts,
        "looks": evidence.looks(material),
    }


def _of_cnn(material: Material, cnn: Cnn) -> dict[str, Any]:
    [other] = [one for one in material.cnns if one.name != cnn.name]
    matrices = [confusion_chart.counts(material, one) for one in material.cnns]
    negatives = len(material.rows("negative_testing"))
    names = dict(zip(material.classes, material.names, strict=True))
    pairs = cnn.tables["confusion_pairs"].head(6)
    return {
        "name": cnn.name,
        "card": cnn.card,
        "figures": cnn.figures,
        "verdicts": words.verdicts(material, cnn),
        "confusion": confusion_chart.confusion(material, cnn, confusion_chart.order(matrices)),
        "pairs": [
            (names[str(pair["actual"])], names[str(pair["predicted"])], int(pair["n"]))
            for _, pair in pairs.iterrows()
        ],
        "mistakes": galleries.surest_mistakes(material, cnn),
        "alone": galleries.disagreements(material, cnn, other),
        "reliability": result_charts.reliability(cnn),
        "known": result_charts.known(material, cnn) if negatives else "",
        "negatives": galleries.likeliest_negatives(material, cnn),
        "by_kind": _by_kind(cnn),
    }


def _by_kind(cnn: Cnn) -> list[tuple[str, float, float]]:
    """Return how well each kind of photo of none is told from the known: AUROC, share named."""
    prefix = "auroc_"
    kinds = [key.removeprefix(prefix) for key in sorted(cnn.figures) if key.startswith(prefix)]
    return [
        (kind.replace("_", " "), cnn.figures[prefix + kind], cnn.figures[f"negatives_named_{kind}"])
        for kind in kinds
    ]
