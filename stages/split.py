"""split: give every decoded photo a role."""

from landmarks import files, params
from landmarks.data.split import assign_splits, describe
from landmarks.data.store import read_table
from stages.runner import run


def main() -> None:
    split = assign_splits(read_table("data/photos/photos.csv"), params.load().split)
    files.write_text("data/split.csv", split.to_csv(index=False, lineterminator="\n"))
    print(describe(split))


if __name__ == "__main__":
    run(main)
