"""What is exported does what PyTorch does, is the same each time, and appears only when checked."""

import hashlib
import io
import json
import shutil
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from small_project import INPUT_SIZE, SIZE, model, picture, project
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from landmarks import (
    agreement,
    backbones,
    card,
    deployable,
    exemplars,
    export,
    images,
    known,
    models,
)
from landmarks.errors import LandmarksError
from landmarks.prediction import Outputs

ROOT = Path(__file__).resolve().parents[1]
SIZES = [(1, 40, 40), (5, 33, 41), (2, 301, 17), (1, 480, 640), (3, 1, 1), (1, 7, 900)]


@pytest.fixture(scope="module")
def exported() -> Path:
    return model()


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the small project whose files a test may change."""
    return Path(shutil.copytree(project().folder, tmp_path / "project"))


def run_onnx(content: bytes) -> agreement.Run:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(content, options)
    return lambda pixels: Outputs(
        *session.run(None, {"pixels": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))})
    )


def run_torchscript(content: bytes) -> agreement.Run:
    return agreement.run_eager(torch.jit.load(io.BytesIO(content)).eval())


def test_the_card_says_all_that_is_needed_to_use_and_trust_the_model(exported: Path) -> None:
    read = card.read(exported)
    assert sorted(path.name for path in exported.iterdir()) == [
        "landmarks.onnx",
        "landmarks.pt",
        "model.json",
    ]
    for name in ("landmarks.onnx", "landmarks.pt"):
        content = (exported / name).read_bytes()
        assert read.files[name].sha256 == hashlib.sha256(content).hexdigest()
        assert read.files[name].bytes == len(content)
    assert [row.name for row in read.classes] == ["Red Gate", "Tall Mill", "Old Bridge", "Sea Arch"]
    tree = json.loads((exported / "model.json").read_text())
    assert tree["classes"][3] == {
        "class": "03.Sea_Arch",
        "name": "Sea Arch",
        "country": None,
        "country_code": None,
        "kind": None,
        "latitude": None,
        "locality": None,
        "longitude": None,
    }
    assert tree["input"] == {
        "size": SIZE,
        "layout": "NCHW",
        "dtype": "uint8",
        "color": "RGB",
        "resize": "squash",
    }
    assert tree["known"] == {
        "method": "cosine",
        "threshold": 0.5,
        "kept": 0.95,
        "tuned_on": ["dots", "noise"],  # and not on grey
    }
    assert tree["thresholds"]["precision"] == 0.9 and len(tree["thresholds"]["classes"]) == 4
    assert tree["learned_from"] == {
        "photos": 3,
        "authors": 2,
        "licences": {"CC BY 4.0": 2, "unknown": 1},
    }
    assert tree["invented"] is True  # by the country codes of its catalogue
    assert {"torch", "torchvision", "onnx", "onnxruntime"} <= tree["versions"].keys()
    assert tree["precision"] == "float32"


def test_the_card_counts_what_a_photo_costs_and_its_mirror_image_costs_the_same_again(
    exported: Path,
) -> None:
    network = models.load_weights(project().weights)[0]
    with torch.no_grad(), FlopCounterMode(display=False) as bare:
        network(torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE))
    counted = card.read(exported).flops
    assert counted is not None
    # Beside the network there is only the score of being known, a few thousand at most.
    assert bare.get_total_flops() <= counted < 1.01 * bare.get_total_flops()
    mirrored = export.count_flops(deployable.build(project().parts(mirror=True)), SIZE)
    assert mirrored == pytest.approx(2 * counted, rel=0.01)


@pytest.mark.parametrize("size", SIZES)
def test_both_files_answer_as_pytorch_does_whatever_the_size(
    exported: Path, size: tuple[int, int, int]
) -> None:
    number, height, width = size
    drawn = [np.asarray(picture(i % 4, i).resize((width, height))) for i in range(number)]
    pixels = np.stack(drawn)
    expected = agreement.run_eager(deployable.build(project().parts(0.8)))(pixels)
    for name, run in (("landmarks.pt", run_torchscript), ("landmarks.onnx", run_onnx)):
        found = run((exported / name).read_bytes())(pixels)
        probabilities = found.probabilities
        assert probabilities.dtype == np.float32 and probabilities.shape == (number, 4)
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        assert np.abs(probabilities - expected.probabilities).max() < agreement.TOLERANCE
        assert found.known_score.shape == found.known.shape == (number,)
        assert np.abs(found.known_score - expected.known_score).max() < agreement.TOLERANCE
        assert found.known.dtype == bool and (found.known == (found.known_score >= 0.5)).all()


def test_the_answer_is_softmax_of_logits_over_temperature_on_an_antialiased_resize() -> None:
    network, info = models.load_weights(project().weights)
    pixels = images.resize(np.asarray(picture(2, 5)), 160)
    small = np.stack([torch_resize(pixels[..., channel], INPUT_SIZE) for channel in range(3)])[
        np.newaxis
    ]
    normal = (small / 255 - np.reshape(info.mean, (1, 3, 1, 1))) / np.reshape(
        info.std, (1, 3, 1, 1)
    )
    logits = network(torch.from_numpy(normal).float()).detach().numpy().astype(np.float64) / 0.5
    expected = np.exp(logits - logits.max())
    expected /= expected.sum()
    module = deployable.build(project().parts(0.5))
    found = agreement.run_eager(module)(pixels[np.newaxis]).probabilities
    assert np.abs(found - expected).max() < 1e-3


def torch_resize(channel: np.ndarray, size: int) -> np.ndarray:
    """Resize with a triangle filter as wide as the reduction, by a matrix: the definition."""
    scale = len(channel) / size
    centres = (np.arange(size)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(len(channel))[None] + 0.5 - centres) / max(scale, 1)
    weights = np.clip(1 - distance, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ channel.astype(np.float64) @ weights.T


def test_no_file_names_a_folder_of_the_machine(exported: Path) -> None:
    records = [(exported / name).read_bytes() for name in ("landmarks.onnx", "model.json")]
    with zipfile.ZipFile(exported / "landmarks.pt") as archive:
        records += [archive.read(name) for name in archive.namelist()]
        records += [name.encode() for name in archive.namelist()]
    for folder in (ROOT, Path(torch.__file__).parents[1], Path.home(), project().folder):
        assert not any(bytes(folder) + b"/" in record for record in records), folder
    assert not any(b"site-packages" in record for record in records)


def test_the_onnx_file_is_whole_valid_and_names_its_axes(exported: Path) -> None:
    proto = onnx.load(exported / "landmarks.onnx", load_external_data=False)
    onnx.checker.check_model(proto, full_check=True)
    (pixels,), (probabilities, known_score, is_known) = proto.graph.input, proto.graph.output
    axes = [axis.dim_param or axis.dim_value for axis in pixels.type.tensor_type.shape.dim]
    assert (pixels.name, axes) == ("pixels", ["batch", 3, "height", "width"])
    assert pixels.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    names = [output.name for output in (probabilities, known_score, is_known)]
    assert names == ["probabilities", "known_score", "known"]
    assert is_known.type.tensor_type.elem_type == onnx.TensorProto.BOOL
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", deployable.OPSET)]


def test_torchscript_records_are_aligned_and_the_module_keeps_its_weights(exported: Path) -> None:
    path = exported / "landmarks.pt"
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for record in archive.infolist():
            name, extra = struct.unpack("<HH", raw[record.header_offset + 26 :][:4])
            assert (record.header_offset + 30 + name + extra) % 64 == 0
            assert record.compress_type == zipfile.ZIP_STORED
    # A frozen module would leave its weights behind on the CPU when it is moved to a GPU.
    module = torch.jit.load(path)
    assert sum(1 for _ in module.parameters()) > 10
    moved = module.to(torch.float64)
    assert all(weight.dtype == torch.float64 for weight in moved.parameters())


def shorten(network: nn.Module) -> None:
    """Keep two of each row of blocks that are alike: a third brings no operator that is new."""
    for part in [part for part in network.modules() if isinstance(part, nn.Sequential)]:
        shapes = [[value.shape for value in block.state_dict().values()] for block in part]
        for number in reversed(range(2, len(shapes))):
            if shapes[number] and shapes[number - 2] == shapes[number - 1] == shapes[number]:
                del part[number]


def test_exporting_leaves_the_module_as_it_was() -> None:
    """Activations that change their input are set otherwise while ONNX is written."""
    module = deployable.build(project().parts())
    before = [str(part) for part in module.modules()]
    assert any("inplace=True" in part for part in before)
    deployable.to_onnx(module)
    assert [str(part) for part in module.modules()] == before


def test_the_onnx_exporter_is_given_a_network_without_batch_norms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would trace them one by one, and fold them afterwards."""
    module = deployable.build(project().parts(mirror=True))

    class Given(Exception):
        """Stands for the seconds that the exporter would take now."""

    def exporter(network: nn.Module, *_: object, **__: object) -> None:
        raise Given(network)

    monkeypatch.setattr(torch.onnx, "export", exporter)
    with pytest.raises(Given) as raised:
        deployable.to_onnx(module)
    [network] = raised.value.args

    def norms(one: nn.Module) -> int:
        return sum(isinstance(part, nn.BatchNorm2d) for part in one.modules())

    assert norms(module) > 5 and norms(network) == 0
    pixels = np.stack([np.asarray(picture(i, 9).resize((60, 50))) for i in range(4)])
    before, after = (agreement.run_eager(one)(pixels) for one in (module, network))
    assert np.abs(after.probabilities - before.probabilities).max() < 1e-6
    assert np.abs(after.known_score - before.known_score).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_every_backbone_can_be_exported(name: str) -> None:
    torch.manual_seed(1)
    info = models.ModelInfo(
        cnn="transfer",
        architecture=name,
        options={"dropout": 0.1},
        classes=[f"{number}" for number in range(5)],
        input_size=64,
        mean=[0.4, 0.5, 0.6],
        std=[0.2, 0.25, 0.3],
        parameters=1,
        licence="",
    )
    network = models.build(info).train()
    shorten(network)
    for part in network.modules():  # a confident head, which random weights would not be
        if isinstance(part, nn.Linear) and part.out_features == 5:
            nn.init.normal_(part.weight, std=2.0)
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # averages what it sees
    with torch.no_grad():
        network(torch.randn(8, 3, 64, 64))
    body, _ = known.split_head(network.eval())
    with torch.no_grad():
        features = body(torch.randn(20, 3, 64, 64))
    stats = known.statistics(features, torch.arange(20) % 5, 5)
    if backbones.BACKBONES.index(name) % 2:
        stats |= exemplars.exemplars(features, torch.arange(20) % 5, stats["means"])
    # Half of them with one sum of scores, half with another: together they hold every operator.
    first, second = (("max_probability", "mahalanobis"), ("generalized_entropy", "cosine"))[
        backbones.BACKBONES.index(name) % 2
    ]
    calibration = {
        "mirror": False,
        "temperature": 1.3,
        "known": {
            "method": f"{first}+{second}",
            "scales": {first: 2.0, second: 1.0},
            "threshold": 0.0,
            "scale": 5.0,
        },
    }
    module = deployable.Deployable(network, info, calibration, stats)
    module.eval().requires_grad_(False)
    photos = [
        (str(shape), np.resize(np.asarray(picture(1, 3)), (*shape, 3)))
        for shape in ((3, 33, 41), (1, 150, 100))
    ]
    runs = {
        "landmarks.pt": run_torchscript(deployable.to_torchscript(module)),
        "landmarks.onnx": run_onnx(deployable.to_onnx(module)),
    }
    agreement.check_agreement(agreement.agreement(agreement.run_eager(module), runs, photos))


def outputs(*rows: list[float], score: float = 0.9) -> Outputs:
    scores = np.full(len(rows), score, np.float32)
    return Outputs(np.array(rows, np.float32), scores, scores >= 0.5)


def test_a_file_that_disagrees_is_named_with_the_photo_and_the_amount() -> None:
    photos = [
        ("a.jpg", np.zeros((2, 1, 1, 3), np.uint8)),
        ("b.jpg", np.ones((2, 1, 1, 3), np.uint8)),
    ]

    def exact(pixels: np.ndarray) -> Outputs:
        return outputs([0.7, 0.3], [0.6, 0.4])

    def wrong(pixels: np.ndarray) -> Outputs:
        amount = 0.25 * pixels.max()
        return outputs([0.7 - amount, 0.3 + amount], [0.6 - amount, 0.4 + amount])

    good, bad = agreement.agreement(exact, {"x.pt": exact, "x.onnx": wrong}, photos)
    assert good.tolerable and good.largest == 0
    assert (bad.photo, bad.renamed) == ("b.jpg", ("b.jpg",)) and abs(bad.largest - 0.25) < 1e-6
    with pytest.raises(LandmarksError, match=r"x\.onnx disagrees .* 1 photos.* 0\.25 on b\.jpg"):
        agreement.check_agreement([good, bad])


@pytest.mark.parametrize(
    ("expected", "found", "tolerable"),
    [(0.9, 0.2, False), (0.9, 0.8, False), (0.50003, 0.49999, True), (0.9, 0.9, True)],
)
def test_files_must_agree_on_what_is_known(expected: float, found: float, tolerable: bool) -> None:
    photos = [("a.jpg", np.zeros((1, 1, 1, 3), np.uint8))]
    (one,) = agreement.agreement(
        lambda _: outputs([0.7, 0.3], score=expected),
        {"x.onnx": lambda _: outputs([0.7, 0.3], score=found)},
        photos,
    )
    # A known score is stretched by its spread: a tenth of its difference counts.
    assert one.tolerable is tolerable and one.largest == pytest.approx(
        0.1 * abs(expected - found), 1e-3
    )
    assert bool(one.renamed) == (expected - found > 0.5)


@pytest.mark.parametrize("where", ["probabilities", "known_score"])
def test_a_file_that_gives_no_number_disagrees(where: str) -> None:
    photos = [("a.jpg", np.zeros((1, 1, 1, 3), np.uint8))]
    exact = outputs([0.7, 0.3])
    broken = exact._replace(**{where: getattr(exact, where) * np.float32("nan")})
    (found,) = agreement.agreement(lambda _: exact, {"x.onnx": lambda _: broken}, photos)
    assert not found.tolerable
    with pytest.raises(LandmarksError, match="nan"):
        agreement.check_agreement([found])


def test_where_the_files_part_nothing_is_exported(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_others(parts: deployable.Parts, folder: Path) -> None:
        """Files of another temperature stand for an operator that was exported wrongly."""
        for name in ("landmarks.pt", "landmarks.onnx"):
            shutil.copy(exported / name, folder)

    (tmp_path / "weights.safetensors").write_bytes(b"kept")
    monkeypatch.setattr(deployable, "write_files", write_others)
    with pytest.raises(LandmarksError, match=r"landmarks\.pt disagrees with PyTorch.* on \S+ "):
        project().export(tmp_path, temperature=0.81)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_arrays_that_are_not_what_the_files_decode_to_are_noticed(
    exported: Path, changed: Path
) -> None:
    pixels = np.load(changed / "photos/pixels.npy")
    np.save(changed / "photos/pixels.npy", np.ascontiguousarray(pixels.swapaxes(1, 2)))
    from landmarks.predictor import Predictor

    photos = type(project())(changed).photos
    with pytest.raises(LandmarksError, match="original files score .* stored arrays"):
        export.check_decoding(Predictor.load(exported), photos)


def test_only_validation_photos_are_looked_at() -> None:
    photos = project().photos
    roles = photos.split.set_index("id").loc[photos.choose(200), "role"]
    assert len(roles) > 20 and set(roles) == {"val"}
    assert len(photos.choose(7)) == 7 and set(photos.choose(7)) <= set(photos.choose(200))


def test_weights_that_cannot_be_read_are_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(LandmarksError, match="damaged or not a weights file"):
        deployable.write_files(
            replace(project().parts(), weights=tmp_path / "weights.safetensors"), tmp_path
        )


def test_class_statistics_that_cannot_be_read_are_an_error_in_one_line(tmp_path: Path) -> None:
    for content in (b"no tensors", None):
        path = tmp_path / "statistics.safetensors"
        path.write_bytes(content) if content else path.unlink()
        with pytest.raises(LandmarksError, match=r"statistics\.safetensors .*dvc checkout"):
            deployable.build(replace(project().parts(), statistics=path))


def test_the_fingerprint_of_parameters_depends_on_values_and_not_on_their_order() -> None:
    assert export.fingerprint({"a": 1, "b": [2]}) == export.fingerprint({"b": [2], "a": 1})
    assert export.fingerprint({"a": 1}) != export.fingerprint({"a": 2})
