"""What an operator may set, and the one line that follows a mistake at the start."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from served import model
from tag_folder import Done, landmarks

from landmarks.errors import LandmarksError
from landmarks.serving import settings

KEY, OTHER = "k" * 20, "other-key-0123456789"


MISTAKES = [
    ({"MAX_FILE": "1"}, "there is no setting LANDMARKS_SERVE_MAX_FILE"),
    ({"MAX_FILES": "none"}, "LANDMARKS_SERVE_MAX_FILES: Input should be a valid integer"),
    ({"BATCH": "0"}, "LANDMARKS_SERVE_BATCH: Input should be greater than or equal to 1"),
    ({"API_KEYS": "short"}, "LANDMARKS_SERVE_API_KEYS: a key has fewer than 16 characters"),
    ({"MAX_FILE_BYTES": "200000000"}, "max_file_bytes is larger than max_request_bytes"),
    ({"QUEUE_BYTES": "1000"}, "max_request_bytes is larger than queue_bytes"),
    ({"QUEUE_PHOTOS": "15"}, "max_files is larger than queue_photos"),
]


@pytest.mark.parametrize(("given", "said"), MISTAKES)
def test_a_wrong_setting_is_named_and_its_value_is_not(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"LANDMARKS_SERVE_{name}", value)
    with pytest.raises(LandmarksError) as error:
        settings.load()
    assert said in str(error.value) and "docs/serving.md" in str(error.value)
    assert "short" not in str(error.value)


def test_options_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDMARKS_SERVE_PORT", "1")
    monkeypatch.setenv("LANDMARKS_SERVE_API_KEYS", f"{KEY},{OTHER}")
    found = settings.load(port=2, host=None)
    assert found.port == 2 and found.host == "127.0.0.1"
    assert [key.get_secret_value() for key in found.api_keys] == [KEY, OTHER]
    assert KEY not in repr(found)


def test_the_page_lists_every_setting_with_its_default() -> None:
    page = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    for name, told in settings.Settings.model_fields.items():
        default = told.default
        shown = f"{default:,}" if isinstance(default, int) and default > 9999 else str(default)
        shown = {"": "", "()": "", "None": ""}.get(shown, f"`{shown}`")
        assert f"| `{name.upper()}` | {shown} |" in page, f"{name}: {shown}"


def refused(*arguments: str) -> Done:
    done = landmarks("serve", *arguments)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    return done


def test_mistakes_at_the_start_end_in_one_line(tmp_path: Path) -> None:
    assert "no model in" in refused("--model", str(tmp_path), "--port", "0").stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused("--model", str(model()), "--port", port).stderr
        assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in said
    spoiled = Path(shutil.copytree(model(), tmp_path / "spoiled"))
    (spoiled / "landmarks.onnx").write_bytes(b"other")
    assert "SHA-256 differs" in refused("--model", str(spoiled), "--port", "0").stderr


WITHOUT = """
import sys

LACKING = sys.argv[1].split(",")

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LACKING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv = ["landmarks", *sys.argv[2:]]
from landmarks.cli import main
main()
"""


def without(packages: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", WITHOUT, packages, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)


def test_without_the_extra_one_line_says_what_to_install() -> None:
    done = without("fastapi,starlette,uvicorn,pydantic_settings", "serve")
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: `landmarks serve` needs \w+, which is not installed\. "
        r'`pip install "\.\[app\]"` in the project brings what it needs\.\n',
        done.stderr,
    ), done.stderr


def test_it_needs_no_package_of_training() -> None:
    training = "torch,torchvision,dvc,lightning_fabric,pandas,sklearn,scipy,onnx,safetensors,yaml"
    code = WITHOUT.replace("sys.argv = ", "import landmarks.serving.server\nsys.argv = ")
    command = [sys.executable, "-c", code, training, "--version"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
