"""What follows from authors and licences: names, photos left out, what a model learned from."""

import pandas as pd
import pytest

from landmarks.data import attribution

BY_SA, ZERO = (
    "http://creativecommons.org/licenses/by-sa/3.0",
    "https://creativecommons.org/publicdomain/zero/1.0/deed.en",
)


@pytest.mark.parametrize(
    ("licence", "name"),
    [
        (BY_SA, "CC BY-SA 3.0"),
        ("https://creativecommons.org/licenses/by/2.0/", "CC BY 2.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/4.0/legalcode", "CC BY-NC-ND 4.0"),
        ("https://creativecommons.org/licenses/by-sa/3.0/de/deed.en", "CC BY-SA 3.0 DE"),
        ("https://creativecommons.org/licenses/by-sa/3.0/deed.de", "CC BY-SA 3.0"),
        (ZERO, "CC0 1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "Public Domain Mark 1.0"),
        ("http://www.gnu.org/copyleft/fdl.html", "http://www.gnu.org/copyleft/fdl.html"),
        ("https://example.org/creativecommons.org/licenses/by/2.0/",) * 2,
        ("© Ann, all rights reserved",) * 2,
        ("", "unknown"),
    ],
)
def test_licences_are_called_by_their_names(licence: str, name: str) -> None:
    assert attribution.readable(licence) == name


def table(*rows: tuple[int, str, str]) -> pd.DataFrame:
    """Return what the pipeline reads: author and licence by row."""
    found = pd.DataFrame(rows, columns=["id", "author", "license"]).assign(url="", title="")
    return found.set_index("id")


@pytest.mark.parametrize(
    ("patterns", "out"),
    [
        ([], []),
        (["CC BY-SA 3.0"], [0]),
        (["cc by-nc*"], [1, 2]),
        (["*/by-nc/*"], [1]),
        ([BY_SA], [0]),
        (["unknown"], [3, 4]),
        (["CC BY-NC*", "unknown"], [1, 2, 3, 4]),
        (["CC BY"], []),
    ],
)
def test_licences_are_excluded_by_name_address_or_pattern(
    patterns: list[str], out: list[int]
) -> None:
    known = table(
        (0, "Ann", BY_SA),
        (1, "Ann", "https://creativecommons.org/licenses/by-nc/2.0/"),
        (2, "Bob", "CC BY-NC-SA 4.0"),
        (3, "Bob", ""),
    )
    excluded = attribution.excluded(known, pd.RangeIndex(5), patterns)
    assert [int(str(row)) for row in excluded.index[excluded != ""]] == out
    idle = attribution.idle(known, pd.RangeIndex(5), [*patterns, "MIT"])
    assert idle == (["MIT"] if out else [*patterns, "MIT"])


def test_what_a_model_learned_from_is_counted() -> None:
    known = table((0, "Ann", BY_SA), (1, "Ann", BY_SA + "/"), (2, "", ZERO), (9, "Bob", "MIT"))
    assert attribution.learned_from(known, [0, 1, 2, 3]) == {
        "photos": 4,
        "authors": 1,
        "licences": {"CC BY-SA 3.0": 2, "CC0 1.0": 1, "unknown": 1},
    }
    assert attribution.learned_from(table(), [0, 1]) is None, "nothing was asked"
    many = table(*((row, f"A{row}", f"© A{row}") for row in range(300)), (300, "B", BY_SA))
    counted = attribution.learned_from(many, [*range(301), 300])
    assert counted is not None and counted["authors"] == 301
    licences = counted["licences"]
    assert len(licences) == attribution.LISTED + 1
    assert licences["CC BY-SA 3.0"] == 2 and sum(licences.values()) == 302
    assert licences["others"] == 302 - 2 - (attribution.LISTED - 1)
