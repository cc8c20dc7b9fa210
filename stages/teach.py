"""teach: let the CNN trained from scratch teach the pretrained one, where that is wanted."""

from pathlib import Path

from landmarks import files, params
from stages.runner import run

SCRATCH = Path("models/scratch/weights.safetensors")
TEACHER = Path("models/transfer/teacher.safetensors")


def main() -> None:
    share = params.load().train.transfer.teacher_share
    if share:
        files.copy_weights(SCRATCH, TEACHER)
        print(f"transfer: {share:.0%} of its loss comes from what scratch answers")
    else:
        # The same bytes whatever scratch is: so transfer is not trained anew when that changes.
        files.write_text(TEACHER, "")
        print("transfer: learns from labels alone (train.transfer.teacher_share is 0)")


if __name__ == "__main__":
    run(main)
