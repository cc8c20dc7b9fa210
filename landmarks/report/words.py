"""Strengths and weaknesses in words, each sentence computed from the figures of the page."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from landmarks.report.galleries import percent
from landmarks.report.material import Cnn, Material

SURE = 0.9
"""A confidence that people take for certain."""
LITTLE_DOUBT = 0.05
"""A difference that chance makes more rarely than this is spoken of as one."""
FAR_APART = 0.15
"""Training accuracy this far above test accuracy is learning by heart."""


@dataclass(frozen=True)
class Verdict:
    """A sentence, and whether it is good news."""

    good: bool
    text: str


def headline(material: Material) -> str:
    """Say which CNN is better on the test photos, and whether chance could say the same."""
    ahead, behind = sorted(material.cnns, key=lambda cnn: -cnn.figures["accuracy"])
    gap = 100 * (ahead.figures["accuracy"] - behind.figures["accuracy"])
    p = paired_p(material)
    if p >= LITTLE_DOUBT:
        return (
            f"On the test photos no winner can be named: {ahead.name} leads by {gap:.1f} points, "
            f"which chance alone could give (paired exact test, p {_p(p)})."
        )
    return (
        f"By {gap:.1f} points {ahead.name} is the better one on the same test photos, which chance "
        f"hardly gives (paired exact test, p {_p(p)})."
    )


def paired_p(material: Material) -> float:
    """Return the p of McNemar's exact test on the test photos that only one CNN gets right."""
    test = material.rows("test")
    first, second = (cnn.best[test] == material.truth[test] for cnn in material.cnns)
    alone = int((first & ~second).sum())
    parted = alone + int((~first & second).sum())
    return float(binomtest(alone, parted).pvalue) if parted else 1.0


def verdicts(material: Material, cnn: Cnn) -> list[Verdict]:
    """Return what a CNN is good and bad at, good news first."""
    found = [
        *_classes(material, cnn),
        *_confusions(material, cnn),
        _sureness(material, cnn),
        _calibration(cnn),
        *_generalisation(material, cnn),
        *_unknown(cnn),
        _size(material, cnn),
    ]
    return sorted(found, key=lambda verdict: not verdict.good)


def _classes(material: Material, cnn: Cnn) -> list[Verdict]:
    table = cnn.tables["per_class"].dropna(subset=["recall"]).reset_index(drop=True)
    names = dict(zip(material.classes, material.names, strict=True))
    perfect = int((table["recall"] == 1).sum())
    worst = table.sort_values(["recall", "class"]).iloc[0]
    found = []
    if perfect:
        found.append(
            Verdict(True, f"Finds every test photo of {perfect} of {len(table)} landmarks.")
        )
    if worst["recall"] < 1:
        name = names[str(worst["class"])]
        share = percent(worst["recall"])
        found.append(Verdict(False, f"Finds {name} least: {share} of {worst['n']} photos."))
    return found


def _confusions(material: Material, cnn: Cnn) -> list[Verdict]:
    pairs = cnn.tables["confusion_pairs"]
    if not len(pairs):
        return [Verdict(True, "Makes no mistake on the test photos.")]
    names = dict(zip(material.classes, material.names, strict=True))
    first = pairs.iloc[0]
    actual, said = names[str(first["actual"])], names[str(first["predicted"])]
    text = f"Its commonest mistake: {actual} taken for {said}, {first['n']} times"
    back = pairs[(pairs["actual"] == first["predicted"]) & (pairs["predicted"] == first["actual"])]
    return [Verdict(False, text + (f", and back {back['n'].iloc[0]} times." if len(back) else "."))]


def _sureness(material: Material, cnn: Cnn) -> Verdict:
    test = material.rows("test")
    sure = test[cnn.confidence[test] >= SURE]
    if not len(sure):
        return Verdict(False, f"Is never {percent(SURE)} sure of a test photo.")
    right = float((cnn.best[sure] == material.truth[sure]).mean())
    return Verdict(
        right >= SURE,
        f"Where it is at least {percent(SURE)} sure ({percent(len(sure) / len(test))} of the "
        f"photos), it is right in {percent(right)}.",
    )


def _calibration(cnn: Cnn) -> Verdict:
    table = cnn.tables["reliability"]
    gap = float(np.average(table["confidence"] - table["accuracy"], weights=table["n"]))
    ece = 100 * cnn.figures["ece"]
    limit = cnn.figures.get("ece_perfect")
    good = cnn.figures["ece"] <= (limit if limit is not None else 0.03)
    side = "promises more than it keeps" if gap > 0 else "keeps more than it promises"
    text = f"Its confidence is off by {ece:.1f} points on average"
    if limit is not None:
        text += f" (perfect calibration: up to {100 * limit:.1f} on so few photos)"
    return Verdict(good, f"{text}; on the whole it {side}, by {100 * abs(gap):.1f} points.")


def _generalisation(material: Material, cnn: Cnn) -> list[Verdict]:
    train = material.rows("train")
    learned = float((cnn.best[train] == material.truth[train]).mean())
    gap = learned - cnn.figures["accuracy"]
    text = (
        f"Names {percent(learned)} of the photos that it learned from, and "
        f"{percent(cnn.figures['accuracy'])} of new ones"
    )
    if gap > FAR_APART:
        return [Verdict(False, f"{text}: some of it is learned by heart. More photos would help.")]
    if learned < 0.95:
        return [Verdict(False, f"{text}: it could learn more, with more epochs or width.")]
    return [Verdict(True, f"{text}: what it learns holds on new photos.")]


def _unknown(cnn: Cnn) -> list[Verdict]:
    if "auroc" not in cnn.figures or "negatives_named" not in cnn.figures:
        return []
    named, kept = cnn.figures["negatives_named"], cnn.figures["known_kept"]
    return [
        Verdict(
            named <= 0.1,
            f"Gives a name to {percent(named)} of the photos that show none of the landmarks, "
            f"while it keeps {percent(kept)} of those that do (AUROC {cnn.figures['auroc']:.3f}).",
        )
    ]


def _size(material: Material, cnn: Cnn) -> Verdict:
    size = cnn.figures["onnx_bytes"] / 1e6
    smallest = min(other.figures["onnx_bytes"] for other in material.cnns)
    text = f"Its ONNX file has {size:.1f} MB, {cnn.figures['parameters'] / 1e6:.2f} million weights"
    if cnn.figures["onnx_bytes"] == smallest:
        return Verdict(True, f"{text}: the smaller of the two.")
    return Verdict(False, f"{text}: {cnn.figures['onnx_bytes'] / smallest:.1f} times the other's.")


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
