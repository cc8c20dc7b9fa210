"""The tools beside the pipeline: presets, storage, doctor, the demonstration's comparisons."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from landmarks import params
from landmarks.errors import LandmarksError
from tools import check_build, compare, demo, doctor, dvc_cli, preset, storage

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the project's presets, at a path with a space."""
    folder = tmp_path / "my project"
    shutil.copytree(ROOT / "presets", folder / "presets")
    return folder


def test_preset_without_options_is_copied_byte_for_byte(root: Path) -> None:
    text = preset.make("landmarks50-cpu", {"source": "", "weights": ""}, root)
    assert text.encode() == (ROOT / "presets/landmarks50-cpu.yaml").read_bytes()


def test_preset_makes_paths_absolute_and_records_hashes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        name: tmp_path / f"{name} of mine.bin"
        for name in ("source", "negatives", "weights", "attribution")
    }
    for name, file in files.items():
        file.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    text = preset.make("landmarks50-cpu", {name: file.name for name, file in files.items()}, root)
    made = params.parse(yaml.safe_load(text))
    sha256 = {name: hashlib.sha256(name.encode()).hexdigest() for name in files}
    assert made.download.source == str(files["source"])
    assert made.download.sha256 == sha256["source"]
    assert made.download.negatives == str(files["negatives"])
    assert made.download.negatives_sha256 == sha256["negatives"]
    assert made.download.attribution == str(files["attribution"])
    assert made.download.attribution_sha256 == sha256["attribution"]
    assert made.train.transfer.weights == str(files["weights"])
    assert made.train.transfer.weights_sha256 == sha256["weights"]
    untouched = (ROOT / "presets/landmarks50-cpu.yaml").read_text().splitlines()
    assert len(set(text.splitlines()) - set(untouched)) == len(
        set(untouched) - set(text.splitlines())
    )
    assert [line for line in untouched if "#" in line] == [
        line for line in text.splitlines() if "#" in line
    ]


def test_a_changed_file_changes_the_params(root: Path, tmp_path: Path) -> None:
    archive = tmp_path / "photos.zip"
    archive.write_bytes(b"before")
    before = preset.make("landmarks50", {"source": str(archive)}, root)
    archive.write_bytes(b"after")
    assert preset.make("landmarks50", {"source": str(archive)}, root) != before


def test_preset_takes_folders_urls_and_files_of_the_project(root: Path, tmp_path: Path) -> None:
    given = {"source": str(tmp_path), "catalogue": str(root / "presets/sample.yaml")}
    made = params.parse(yaml.safe_load(preset.make("landmarks50", given, root)))
    assert (made.download.source, made.download.sha256) == (str(tmp_path), None)
    assert made.export.catalogue == "presets/sample.yaml"
    made = params.parse(yaml.safe_load(preset.make("sample", {"source": "s3://b/a b.zip"}, root)))
    assert (made.download.source, made.download.sha256) == ("s3://b/a b.zip", None)


def test_a_folder_of_ones_own_called_sample_is_not_the_built_in_sample(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    (root / "sample").mkdir()
    for named in ("./sample", str(root / "sample")):
        made = yaml.safe_load(preset.make("own", {"source": named}, root))
        assert made["download"]["source"] == "./sample"
    with pytest.raises(LandmarksError, match=r"Write SOURCE=\./sample"):
        preset.make("own", {"source": "sample"}, root)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("landmark50", {}, "landmarks50, landmarks50-cpu, own, sample"),
        ("", {}, "landmarks50, landmarks50-cpu, own, sample"),
        ("sample", {"source": "nowhere.zip"}, "SOURCE=nowhere.zip"),
        ("sample", {"weights": "nowhere.pth"}, "WEIGHTS=nowhere.pth"),
        ("sample", {"weights": "/"}, "is a folder"),
        ("own", {"attribution": "/"}, "ATTRIBUTION=/ is a folder"),
        ("own", {"source": "~nobody-of-this-name/x"}, "nobody of this name has a home here"),
    ],
)
def test_wrong_presets_are_refused(root: Path, name: str, given: dict[str, str], said: str) -> None:
    with pytest.raises(LandmarksError, match=said):
        preset.make(name, given, root)


@pytest.mark.parametrize("value", ["/a b/c.zip", "/tmp/#1: x.zip", "no", "null", "1e3", "Zürich's"])
def test_set_value_reads_back_as_the_same_string(value: str) -> None:
    text = "a:\n  b: 1  # why\n  c:\n    b: old\nb: 2\n"
    changed = preset.set_value(text, "a.c.b", value)
    assert yaml.safe_load(changed) == {"a": {"b": 1, "c": {"b": value}}, "b": 2}
    assert "# why" in changed
    with pytest.raises(KeyError):
        preset.set_value(text, "a.missing", value)


def test_storage_knows_what_each_url_needs() -> None:
    wanted = {
        "s3://b/p": "s3",
        "gs://b": "gs",
        "azure://c/p": "azure",
        "ssh://u@h/p": "ssh",
        "webdavs://h/p": "webdav",
        "https://host/path": None,
        "/srv/storage": None,
        "~/storage": None,
    }
    assert {url: storage.extra_for(url) for url in wanted} == wanted
    for wrong in ("", "ftp://host/p"):
        with pytest.raises(LandmarksError, match="s3://bucket/path"):
            storage.extra_for(wrong)


def test_default_storage_is_verified_and_silent() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "dvc", "config", "--list", "--project"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    name = dict(line.split("=", 1) for line in shown.splitlines())["core.remote"]
    assert {f"remote.{name}.verify=true", "core.analytics=false", "core.check_update=false"} <= set(
        shown.splitlines()
    )


def test_demo_shows_both_cnns_side_by_side() -> None:
    figures = {"accuracy": 0.5, "n": 240, "parameters": 1234567}
    shown = demo.table({"scratch": figures, "transfer": {**figures, "accuracy": 0.875}})
    accuracy = next(line for line in shown.splitlines() if line.startswith("accuracy"))
    assert accuracy.split()[-2:] == ["50.0%", "87.5%"]
    assert "1,234,567" in shown


def test_demo_names_the_outs_that_differ() -> None:
    def lock(**hashes: str) -> dict[str, object]:
        outs = [{"path": path, "md5": md5} for path, md5 in hashes.items()]
        return {"schema": "2.0", "stages": {"train@scratch": {"cmd": "", "outs": outs}}}

    assert check_build.differing_outs(lock(a="1", b="2"), lock(a="1", b="2")) == []
    assert check_build.differing_outs(lock(a="1", b="3"), lock(a="1", b="2", c="4")) == ["b", "c"]


def test_demo_allows_last_bits_but_no_other_result() -> None:
    before = {"accuracy": 0.8, "macro_f1": 0.8, "ece": 0.05, "n": 240.0}
    assert check_build.beyond_tolerance({**before, "accuracy": 0.82}, before) == []
    [said] = check_build.beyond_tolerance({**before, "accuracy": 0.6}, before)
    assert "accuracy is 0.6" in said and "0.8" in said


def test_compare_needs_an_up_to_date_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dvc_cli, "output", lambda *_, **__: (1, "", ""))
    with pytest.raises(LandmarksError, match="make repro"):
        compare.main()


def test_doctor_finds_native_bf16_in_the_processors_flags() -> None:
    assert doctor.cpu_bf16("flags : fpu avx512_bf16 amx_bf16").state == "ok"
    assert doctor.cpu_bf16("flags : fpu avx512f").state == "note"


def test_doctor_says_how_threads_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert doctor.threads in doctor.CHECKS
    assert doctor.threads().state == "ok" and "spin" in doctor.threads().found
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    asleep = doctor.threads()
    assert asleep.state == "note" and "sleep" in asleep.found
    assert "unset OMP_WAIT_POLICY" in asleep.advice


def test_doctor_says_which_preset_and_which_key_is_wrong(root: Path) -> None:
    shutil.copy(root / "presets/landmarks50.yaml", root / "params.yaml")
    assert "presets/landmarks50.yaml" in doctor.parameters(root).found
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("validation_share", "validation_shore"))
    finding = doctor.parameters(root)
    assert finding.state == "missing" and "validation_shore" in finding.found


def test_doctor_sees_a_release_that_is_absent_or_damaged(root: Path) -> None:
    assert "dvc pull" in doctor.release(root).advice
    folder = root / "models/landmarks"
    folder.mkdir(parents=True)
    (folder / "landmarks.onnx").write_bytes(b"network")
    digest = hashlib.sha256(b"network").hexdigest()
    model = {"cnn": "scratch", "invented": True, "files": {"landmarks.onnx": {"sha256": digest}}}
    (folder / "model.json").write_text(json.dumps(model))
    assert doctor.release(root).state == "ok"
    (folder / "landmarks.onnx").write_bytes(b"Network")
    assert doctor.release(root).state == "missing"
    (folder / "model.json").write_text("{")
    assert doctor.release(root).state == "missing"


def test_doctor_ends_with_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (doctor.python, doctor.machine))
    doctor.main()
    bad = doctor.Finding("missing", "thing", "not there", "get it")
    monkeypatch.setattr(doctor, "CHECKS", (lambda: bad,))
    with pytest.raises(SystemExit, match="1"):
        doctor.main()


def test_tools_print_one_line_and_no_traceback() -> None:
    for command in (["tools.preset", "nope"], ["tools.storage", "ftp://x"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    assert os.path.samefile(ROOT, demo.ROOT)


def test_the_processor_is_named_the_same_each_time() -> None:
    named = check_build.processor()
    assert named == check_build.processor() and "\n" not in named
    assert "family" in named
