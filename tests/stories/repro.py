"""`dvc repro`, and which stages it ran."""

import re

from stories.clone import Clone


def repro(clone: Clone, *options: str, **variables: str) -> list[str]:
    """Run `dvc repro` with some environment variables; return the stages that ran, in order.

    A stage whose outs came from the run cache did not run.
    """
    settings = [f"{name}={value}" for name, value in variables.items()]
    said = clone.run("env", *settings, "dvc", "repro", *options).stdout
    return re.findall(r"^Running stage '(.+)':$", said, re.MULTILINE)
