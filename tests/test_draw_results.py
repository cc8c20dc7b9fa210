"""The pictures of results show the collected figures, and are the same files each time."""

import itertools
from pathlib import Path

import pytest

from landmarks.errors import LandmarksError
from landmarks.files import write_json
from tools.cost_table import interval
from tools.draw_results import NAME_LEADING, Line, apart, draw, draw_ablation, draw_latency

FIGURES = {
    "test_accuracy": {"mean": 0.8, "sd": None, "n": 1},
    "test_accuracy_low": {"mean": 0.7, "sd": None, "n": 1},
    "test_accuracy_high": {"mean": 0.9, "sd": None, "n": 1},
    "test_n": {"mean": 100.0, "sd": None, "n": 1},
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_json(tmp_path / "summary.json", {"scratch": FIGURES, "transfer": FIGURES})
    for cnn in ("scratch", "transfer"):
        curve = tmp_path / "metrics" / cnn / "training.csv"
        curve.parent.mkdir(parents=True)
        curve.write_text(
            "epoch,lr,train_loss,val_loss,val_accuracy\n1,0.1,2,2,0.3\n2,0.1,1,1,0.7\n"
        )
    return tmp_path


def test_whiskers_are_the_interval_of_one_run_and_the_spread_of_several() -> None:
    assert interval(FIGURES) == (0.7, 0.9)
    several = FIGURES | {"test_accuracy": {"mean": 0.8, "sd": 0.01, "n": 3}}
    assert interval(several) == pytest.approx((0.79, 0.81))


def test_the_picture_is_drawn_and_repeats_itself(results: Path) -> None:
    pytest.importorskip("matplotlib")
    first = draw(results).read_bytes()
    assert first.startswith(b"<?xml")
    assert b"#3b82c4" in first
    assert draw(results).read_bytes() == first


def test_a_picture_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LandmarksError, match=r"summary\.json"):
        draw(tmp_path)


def time_them(results: Path, **milliseconds: float) -> None:
    timed = {name: {"milliseconds": value} for name, value in milliseconds.items()}
    write_json(results / "latency.json", {"architectures": timed})


def test_accuracy_stands_against_time_and_who_was_not_timed_is_named(results: Path) -> None:
    pytest.importorskip("matplotlib")
    rival = {"test_accuracy": 0.6, "test_accuracy_low": 0.5, "test_accuracy_high": 0.7}
    rivals = {"backbone": "mobilenet_v2", "rivals": {"course_scratch": rival, "tuned": rival}}
    write_json(results / "rivals.json", rivals)
    time_them(results, scratch=4.0, mobilenet_v2=9.0)
    picture, left_out = draw_latency(results)
    assert left_out == ["transfer", "course_scratch"]
    assert picture == results / "plots/latency.svg"
    first = picture.read_bytes()
    assert b"#d9822b" in first and b"#3b82c4" not in first
    assert draw_latency(results)[0] == picture and picture.read_bytes() == first
    time_them(results, scratch=4.0, mobilenet_v2=9.0, transfer=5.0, course_scratch=7.0)
    assert draw_latency(results) == (picture, [])
    assert b"#3b82c4" in picture.read_bytes()


def test_names_of_points_that_stand_close_are_not_over_each_other() -> None:
    lines = [Line(10, 50, 100), Line(10, 50, 97), Line(40, 50, 102), Line(61, 50, 97)]
    heights = apart(lines)
    assert heights[1] == 97, "the lowest stays where it is wanted"
    assert heights[3] == 97, "what stands beside it, too"
    for one, other in itertools.combinations(range(4), 2):
        (first, second) = sorted((lines[one], lines[other]))
        if first.left + first.width > second.left:
            assert abs(heights[one] - heights[other]) >= NAME_LEADING
    far = [Line(0, 50, 10), Line(0, 50, 40)]
    assert apart(far) == [10, 40]


def test_nothing_is_drawn_where_nothing_was_timed(results: Path) -> None:
    assert draw_latency(results) == (None, ["scratch", "transfer"])
    assert not (results / "plots").exists()


def test_the_picture_says_of_each_cnn_what_its_line_shows(results: Path) -> None:
    pytest.importorskip("matplotlib")
    assert "% of 100 photos, 95 % interval" in draw(results).read_text()
    several = FIGURES | {"test_accuracy": {"mean": 0.8, "sd": 0.01, "n": 3}}
    write_json(results / "summary.json", {"scratch": FIGURES, "transfer": several})
    shown = draw(results).read_text()
    assert "scratch: 95 % interval" in shown and "transfer: mean ± sd of 3 runs" in shown


def test_what_an_ingredient_is_worth_is_drawn_for_each_cnn_that_was_ablated(results: Path) -> None:
    pytest.importorskip("matplotlib")
    assert draw_ablation(results) is None

    def keep(**accuracies: dict[str, float]) -> None:
        about = {"epochs": 6, "seed": 1, "n": 599, "chance": 0.05}
        runs = {
            cnn: {name: {"val_accuracy": one} for name, one in found.items()}
            for cnn, found in accuracies.items()
        }
        figures = {cnn: about | {"runs": found} for cnn, found in runs.items()}
        write_json(results / "ablation.json", figures)

    found = {"muon": 0.4, "dropout": 0.72}
    keep(scratch=found)
    assert draw_ablation(results) is None, "there is nothing to compare with yet"
    keep(scratch={"recipe": 0.7})
    assert draw_ablation(results) is None, "nothing was left out yet"
    keep(scratch=found | {"recipe": 0.7})
    picture = draw_ablation(results)
    assert picture == results / "plots/ablation.svg"
    alone = picture.read_bytes()
    assert b"#d9822b" in alone and b"#3b82c4" not in alone
    keep(scratch=found | {"recipe": 0.7}, transfer={"recipe": 0.7, "muon": 0.4, "dropout": 0.3})
    draw_ablation(results)
    both = picture.read_text()
    assert "#3b82c4" in both and "scratch, 6 epochs: 70.0 %" in both
    scratch, transfer = (both.split("<!-- without ")[1:3], both.split("<!-- without ")[3:])
    assert scratch[0].startswith("muon") and transfer[0].startswith("dropout"), "worst first"
