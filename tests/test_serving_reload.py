"""A new model takes over while the service answers; a bad one never does."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from served import Served, eventually, model, service
from tag_folder import RED, onnx_model, photo

from landmarks import card
from landmarks.files import sha256, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(model(), tmp_path / "model"))


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    with service(folder, reload_seconds=0.05) as running:
        yield running


def release(folder: Path, name: str, sharpness: float = 20.0) -> Path:
    """Make another model beside `folder`, whose first place has another name."""
    fresh = Path(shutil.copytree(model(), folder.with_name(name)))
    graph = onnx_model()
    factor = next(one for one in graph.graph.initializer if one.name == "factor")
    factor.CopyFrom(helper.make_tensor("factor", TensorProto.FLOAT, [], [sharpness / 255]))
    onnx.save(graph, fresh / card.ONNX)
    described = json.loads((fresh / card.CARD).read_text())
    described["classes"][0]["name"] = name
    record = {"sha256": sha256(fresh / card.ONNX), "bytes": (fresh / card.ONNX).stat().st_size}
    write_json(fresh / card.CARD, described | {"files": {card.ONNX: record}})
    return fresh


def pull(fresh: Path, folder: Path) -> None:
    """Put the files of a release in place one after the other, as DVC does."""
    for name in (card.ONNX, card.CARD):
        os.replace(fresh / name, folder / name)


def name_of(served: Served) -> str:
    return str(served.predict(photo(RED)).json()["photos"][0]["guesses"][0]["name"])


def test_a_new_release_answers_soon_and_nobody_notices(served: Served, folder: Path) -> None:
    ended, answers = threading.Event(), list[tuple[int, str, str]]()

    def ask() -> None:
        while not ended.is_set():
            got = served.predict(photo(RED))
            [one] = got.json()["photos"]
            answers.append((got.status_code, one["model"], one["guesses"][0]["name"]))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        eventually(lambda: len(answers) > 5)
        old = answers[0][1:]
        pull(release(folder, "Ayers Rock"), folder)
        eventually(lambda: answers[-1][1] != old[0])
    finally:
        ended.set()
        asking.join()
    new = (card.read(folder).version, "Ayers Rock")
    assert {status for status, *_ in answers} == {200}
    assert list(dict.fromkeys(one[1:] for one in answers)) == [old, new], (
        "first one, then the other"
    )
    assert served.said("model changed", before=old[0])["model"] == new[0]
    assert served.metric("landmarks_model", version=new[0]) == 1
    assert served.metric("landmarks_model", version=old[0]) == 0
    assert served.client.get("/v1/landmarks").json()["landmarks"][0]["name"] == "Ayers Rock"


def tamper(folder: Path) -> None:
    content = bytearray((folder / card.ONNX).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / card.ONNX).write_bytes(content)


def other_card(folder: Path) -> None:
    fresh = release(folder, "Elsewhere")
    os.replace(fresh / card.CARD, folder / card.CARD)


def edited(folder: Path, change: Callable[[onnx.GraphProto], object]) -> None:
    """Change the graph of the model; the card goes with it."""
    fresh = release(folder, "Changed")
    model = onnx.load(fresh / card.ONNX)
    change(model.graph)
    onnx.save(model, fresh / card.ONNX)
    described = json.loads((fresh / card.CARD).read_text())
    described["files"][card.ONNX]["sha256"] = sha256(fresh / card.ONNX)
    write_json(fresh / card.CARD, described)
    pull(fresh, folder)


def other_input(graph: onnx.GraphProto) -> None:
    graph.input[0].name = graph.node[0].input[0] = "images"


def single_pixels(graph: onnx.GraphProto) -> None:
    for side in graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_value = 1


SPOILED: list[tuple[Callable[[Path], object], str]] = [
    (tamper, "SHA-256 differs"),
    (other_card, "SHA-256 differs"),
    (lambda folder: (folder / card.ONNX).unlink(), "only in part"),
    (lambda folder: (folder / card.CARD).write_text("{"), "not JSON"),
    (shutil.rmtree, "there is no model"),
    (lambda folder: edited(folder, other_input), "gives no answer: Required inputs"),
    (lambda folder: edited(folder, single_pixels), "InvalidArgument: "),
]


@pytest.mark.parametrize(("spoil", "said"), SPOILED)
def test_a_bad_model_never_answers_and_a_good_one_after_it_does(
    served: Served, folder: Path, spoil: Callable[[Path], object], said: str
) -> None:
    before = served.client.get("/readyz").json()["model"]
    spoil(folder)
    eventually(lambda: served.metric("landmarks_reloads_total", result="failed") >= 1)
    eventually(lambda: any(said in one.get("reason", "") for one in served.events))
    assert served.said("model kept", model=before)["level"] == "error"
    assert name_of(served) == "Uluru"
    assert served.client.get("/readyz").json() == {"status": "ok", "model": before}
    folder.mkdir(exist_ok=True)
    pull(release(folder, "Third"), folder)
    eventually(lambda: name_of(served) == "Third")


def test_the_same_files_are_not_tried_again_and_again(served: Served, folder: Path) -> None:
    tamper(folder)
    eventually(lambda: served.metric("landmarks_reloads_total", result="failed") >= 1)
    tried = served.metric("landmarks_reloads_total")
    for _ in range(20):
        name_of(served)
    assert served.metric("landmarks_reloads_total") == tried


def test_where_nobody_looks_nothing_changes(folder: Path) -> None:
    with service(folder, reload_seconds=0) as served:
        pull(release(folder, "Unseen"), folder)
        for _ in range(20):
            assert name_of(served) == "Uluru"
