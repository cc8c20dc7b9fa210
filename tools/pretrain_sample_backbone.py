"""Make presets/backbones/sample.safetensors: a backbone that has seen only other drawn pictures.

The sample cannot download weights, so its transfer CNN starts from a MobileNetV3-Small (Howard et
al. 2019, arXiv:1905.02244) that learns here, from nothing, to tell apart buildings of the same
kinds as the sample's landmarks but of other designs. Neither the sample's landmarks nor its
pictures without landmark are among them.

    python -m tools.pretrain_sample_backbone

About 10 minutes on two idle cores; the pictures are drawn first and kept in memory.
"""

import argparse
import json
import multiprocessing
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save
from torch import Tensor, nn
from torchvision.models import mobilenet_v3_small
from tqdm import tqdm

from landmarks import environment
from landmarks.data.sample.catalogue import DESIGNS, LANDMARKS
from landmarks.data.sample.integer import Stream
from landmarks.data.sample.scene import Shot, photograph
from landmarks.errors import run
from landmarks.files import replacing

SIZE, CROP = 108, 96  # pixels of a kept picture, and of what the network sees of it
SMALL = 64  # pixels in the first epochs
DESIGNS_EACH = 5  # buildings of each kind
SEED = 7
BACKDROPS = ("hills", "mountains", "roofs", "sea")

Pictures = NDArray[np.uint8]


def buildings() -> list[Shot]:
    """Return the designs to tell apart; their seeds are texts, the sample's are numbers."""
    shots = []
    for design in sorted(DESIGNS):
        for k in range(DESIGNS_EACH):
            backdrop = BACKDROPS[k % len(BACKDROPS)]
            shots.append(Shot(design, f"pretraining/{k}", k % 4, backdrop))
    known = {(landmark.design, landmark.seed) for landmark in LANDMARKS}
    assert not known & {(shot.design, shot.seed) for shot in shots}
    return shots


def draw(job: tuple[Shot, int]) -> Pictures:
    """Return one picture, uint8 (SIZE, SIZE, 3)."""
    shot, number = job
    pixels = photograph(shot, Stream("pretraining", SEED, shot.design, shot.seed, number))
    image = Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(image)


def draw_all(shots: list[Shot], each: int) -> tuple[Pictures, NDArray[np.int64]]:
    """Return all pictures (N, SIZE, SIZE, 3) and the position of their building in `shots`."""
    jobs = [(shot, number) for shot in shots for number in range(each)]
    pictures = np.empty((len(jobs), SIZE, SIZE, 3), dtype=np.uint8)
    workers = max(environment.workers(environment.cores()), 1)
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        drawn = pool.imap(draw, jobs, chunksize=32)
        for k, picture in enumerate(tqdm(drawn, "drawing", len(jobs), mininterval=5)):
            pictures[k] = picture
    return pictures, np.repeat(np.arange(len(shots)), each)


def augmented(pictures: Pictures, generator: np.random.Generator) -> Pictures:
    """Return a random crop of each picture, half of them mirrored: (n, CROP, CROP, 3)."""
    room = SIZE - CROP + 1
    places = generator.integers(0, room, (len(pictures), 2))
    mirrored = generator.random(len(pictures)) < 0.5
    crops = [
        picture[y : y + CROP, x : x + CROP][:, :: -1 if mirror else 1]
        for picture, (y, x), mirror in zip(pictures, places, mirrored, strict=True)
    ]
    return np.stack(crops)


class Inputs:
    """Turns pictures into network inputs with plain per-channel statistics."""

    def __init__(self, pictures: Pictures) -> None:
        sums = pictures[::4].astype(np.float64) / 255
        self.mean, self.std = sums.mean(axis=(0, 1, 2)), sums.std(axis=(0, 1, 2))

    def __call__(self, pictures: Pictures) -> Tensor:
        scaled = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        mean, std = (
            torch.tensor(v, dtype=torch.float32).view(3, 1, 1) for v in (self.mean, self.std)
        )
        return ((scaled - mean) / std).contiguous(memory_format=torch.channels_last)


def train(
    network: nn.Module, pictures: Pictures, labels: NDArray[np.int64], inputs: Inputs,
    epochs: int, batch: int = 64,
) -> None:  # fmt: skip
    """Train in place: AdamW, one-cycle learning rate, label smoothing.

    The first two thirds of the epochs see the pictures at `SMALL` pixels, at half the cost
    (progressive resizing, Tan and Le 2021, arXiv:2104.00298).
    """
    generator = np.random.default_rng(SEED)
    steps = len(pictures) // batch
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, epochs * steps, pct_start=0.2)
    network.train()
    for epoch in range(epochs):
        order, total = generator.permutation(len(pictures)), 0.0
        bar = tqdm(range(steps), f"epoch {epoch + 1}/{epochs}", mininterval=5)
        for step in bar:
            rows = order[step * batch : (step + 1) * batch]
            seen = inputs(augmented(pictures[rows], generator))
            if epoch < epochs * 2 // 3:
                seen = F.interpolate(seen, size=SMALL, mode="bilinear", antialias=True)
            logits = network(seen)
            target = torch.from_numpy(labels[rows])
            loss = F.cross_entropy(logits, target, label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
            bar.set_postfix_str(f"loss {total / (step + 1):.3f}", refresh=False)


@torch.inference_mode()
def accuracy(
    network: nn.Module, pictures: Pictures, labels: NDArray[np.int64], inputs: Inputs
) -> float:
    """Return the share of pictures, cropped in the middle, whose building is named right."""
    network.eval()
    edge = (SIZE - CROP) // 2
    right = 0
    for first in range(0, len(pictures), 100):
        middle = pictures[first : first + 100, edge : edge + CROP, edge : edge + CROP]
        said = network(inputs(np.ascontiguousarray(middle))).argmax(1).numpy()
        right += int((said == labels[first : first + 100]).sum())
    return right / len(pictures)


def write(path: Path, network: nn.Module, facts: dict[str, object]) -> None:
    """Write the features' weights and the facts about them as safetensors, whole or not at all."""
    state = {
        name: value.contiguous()
        for name, value in sorted(network.state_dict().items())
        if name.startswith("features.") and not name.endswith("num_batches_tracked")
    }
    with replacing(path) as temporary:
        temporary.write_bytes(save(state, {"backbone": json.dumps(facts, sort_keys=True)}))


def main() -> None:
    """Draw, train, measure on pictures held out, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("presets/backbones/sample.safetensors"))
    parser.add_argument("--pictures", type=int, default=120, help="pictures of each building")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(SEED)
    shots = buildings()
    pictures, labels = draw_all(shots, args.pictures)
    held_out = np.arange(len(pictures)) % 16 == 0
    inputs = Inputs(pictures)
    network = mobilenet_v3_small(num_classes=len(shots)).to(memory_format=torch.channels_last)
    train(network, pictures[~held_out], labels[~held_out], inputs, args.epochs)
    score = accuracy(network, pictures[held_out], labels[held_out], inputs)
    facts = {
        "architecture": "torchvision mobilenet_v3_small, features only",
        "buildings": len(shots),
        "epochs": args.epochs,
        "held_out_accuracy": round(score, 4),
        "held_out_pictures": int(held_out.sum()),
        "input_size": CROP,
        "licence": "the project's own; trained on the project's own drawn pictures",
        "mean": [round(float(value), 4) for value in inputs.mean],
        "pictures": len(pictures),
        "seed": SEED,
        "threads": args.threads,
        "std": [round(float(value), 4) for value in inputs.std],
    }
    write(args.out, network, facts)
    print(json.dumps(facts, indent=2, sort_keys=True))


if __name__ == "__main__":
    run(main)
