"""release: put the CNN that users get where it is pulled from."""

from landmarks import card, params
from landmarks.files import read_json, write_json
from landmarks.release import choose, deliver
from stages.runner import run

CNNS = ("scratch", "transfer")


def main() -> None:
    validations = {
        cnn: read_json(f"metrics/{cnn}/validation.json", "accuracy", "nll") for cnn in CNNS
    }
    sizes = {cnn: card.read(f"models/{cnn}").files[card.ONNX].bytes for cnn in CNNS}
    cnn, reason = choose(params.load().release.model, validations, sizes)
    deliver(f"models/{cnn}", "models/landmarks")
    write_json("metrics/released.json", read_json(f"metrics/{cnn}.json") | {"cnn": cnn})
    print(f"released {cnn} to models/landmarks ({reason})")


if __name__ == "__main__":
    run(main)
