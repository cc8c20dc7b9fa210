"""split: give every decoded photo a role."""

from landmarks import files, params
from landmarks.data.attribution import idle, names, read_attribution
from landmarks.data.split import assign_splits, describe
from landmarks.data.store import read_table
from stages.runner import run


def main() -> None:
    settings = params.load().split
    photos = read_table("data/photos/photos.csv")
    attribution = read_attribution("data/attribution.csv", photos=len(photos))
    split = assign_splits(photos, settings, attribution)
    files.write_text("data/split.csv", split.to_csv(index=False, lineterminator="\n"))
    print(describe(split))
    for pattern in idle(attribution, photos["id"], settings.exclude_licences):
        known = list(names(attribution, photos["id"]).index)
        print(
            f"note: no photo has a licence like `{pattern}` of split.exclude_licences; they have: "
            + ", ".join(known[:10])
            + (", …" if len(known) > 10 else "")
        )


if __name__ == "__main__":
    run(main)
