"""A catalogue is edited by people: whoever makes a mistake is told the line and what is wrong."""

from pathlib import Path

import pytest

from landmarks import catalogue
from landmarks.catalogue import Catalogue, Landmark
from landmarks.errors import LandmarksError

ROOT = Path(__file__).resolve().parents[1]
HEAD = ",".join(catalogue.COLUMNS) + "\n"
GOOD = "16.Eiffel_Tower,Eiffel Tower,Paris,France,FR,48.8584,2.2945,tower\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "places.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["landmarks50", "photos50"])
def test_the_catalogues_of_the_project_are_whole(name: str) -> None:
    places = catalogue.load(ROOT / "catalogues" / f"{name}.csv")
    assert len(places.rows) == 50 and not places.invented
    assert [row.class_name[:2] for row in places.rows.values()] == [f"{n:02}" for n in range(50)]
    assert all(row.latitude is not None and row.kind for row in places.rows.values())


def test_the_catalogue_of_photos50_has_a_row_for_each_of_its_classes(shared: Path) -> None:
    from landmarks.data.archive import open_archive

    with open_archive(shared / "photos50/landmark_images.zip") as archive:
        folders = {member.name.split("/")[-2] for member in archive.members}
    assert folders == set(catalogue.load(ROOT / "catalogues/photos50.csv").rows)


def test_a_row_is_found_by_its_class(tmp_path: Path) -> None:
    found = catalogue.load(written(tmp_path, HEAD + GOOD)).lookup("16.Eiffel_Tower")
    assert (found.name, found.place, found.country_code) == ("Eiffel Tower", "Paris, France", "FR")
    assert (found.latitude, found.longitude, found.kind) == (48.8584, 2.2945, "tower")


def test_a_folder_may_end_with_a_space(tmp_path: Path) -> None:
    places = catalogue.load(written(tmp_path, HEAD + GOOD))
    found = places.lookup("16.Eiffel_Tower ")
    assert (found.class_name, found.name) == ("16.Eiffel_Tower ", "Eiffel Tower")
    assert places.missing(["16.Eiffel_Tower "]) == []


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("07.Stone_Bridge", "Stone Bridge"),
        ("Stone_Bridge", "Stone Bridge"),
        ("12 - Old  Mill", "Old Mill"),
        ("1984", "1984"),
        ("42.", "42."),
        ("ベルリン", "ベルリン"),
    ],
)
def test_a_class_without_a_row_is_named_after_its_folder(folder: str, name: str) -> None:
    assert Catalogue().lookup(folder) == Landmark(class_name=folder, name=name)


def test_columns_may_stand_in_any_order_and_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    text = "\ufeffnote,kind,longitude,latitude,country_code,country,locality,name,class\n"
    text += 'x,tower,2.2945,48.8584,FR,France,"Paris, 7e",Eiffel Tower,a\n'
    assert catalogue.load(written(tmp_path, text)).lookup("a").place == "Paris, 7e, France"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "places.csv:1: no column class, name"),
        (HEAD.replace(",kind", "") + GOOD, "places.csv:1: no column kind"),
        (HEAD + GOOD + GOOD, "places.csv:3: class 16.Eiffel_Tower stands in line 2 already"),
        (HEAD + GOOD.replace("48.8584", "98.8584"), "places.csv:2: latitude is '98.8584'"),
        (HEAD + GOOD.replace("2.2945", "-180.1"), "places.csv:2: longitude is '-180.1'"),
        (HEAD + GOOD.replace("48.8584", "48,8584"), "places.csv:2: more or fewer cells"),
        (HEAD + GOOD.replace("48.8584", "nan"), "places.csv:2: latitude is 'nan'"),
        (HEAD + GOOD.replace("48.8584", "north"), "places.csv:2: latitude is 'north'"),
        (HEAD + GOOD.replace("48.8584", ""), "places.csv:2: one coordinate is empty"),
        (HEAD + GOOD.replace("FR", "France"), "places.csv:2: country_code is 'France'"),
        (HEAD + GOOD.replace("Eiffel Tower", " "), "places.csv:2: name is empty"),
        (HEAD + GOOD[:20] + "\n", "places.csv:2: more or fewer cells"),
        (HEAD + GOOD.replace("Paris", '"Paris'), "is not a CSV table"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LandmarksError) as caught:
        catalogue.load(written(tmp_path, text))
    assert said in str(caught.value)


def test_a_missing_or_wrongly_encoded_file_is_an_error_with_advice(tmp_path: Path) -> None:
    with pytest.raises(LandmarksError, match=r"no catalogue .*export\.catalogue"):
        catalogue.load(tmp_path / "nowhere.csv")
    (tmp_path / "latin.csv").write_bytes((HEAD + GOOD).replace("Paris", "Orléans").encode("latin1"))
    with pytest.raises(LandmarksError, match="not UTF-8"):
        catalogue.load(tmp_path / "latin.csv")


@pytest.mark.parametrize(
    ("codes", "invented"),
    [
        (["XA", "XZ"], True),
        (["XA", "FR"], False),
        (["XK"], False),
        (["XA", ""], False),
        ([], False),
    ],
)
def test_places_are_invented_when_all_countries_are(codes: list[str], invented: bool) -> None:
    rows = {code: Landmark(class_name=code, name="A", country_code=code or None) for code in codes}
    assert Catalogue(rows).invented is invented
