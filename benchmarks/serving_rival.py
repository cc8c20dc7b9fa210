"""The service that tutorials build: FastAPI, a thread for each request, TorchScript, one photo.

`python -m benchmarks.serving_rival MODEL PORT THREADS` runs it.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image, ImageOps

from landmarks import card as cards


def create_app(folder: Path) -> FastAPI:
    """Return the application, its model loaded."""
    app = FastAPI()
    card = cards.read(folder)
    module = torch.jit.load(str(folder / cards.TORCHSCRIPT), map_location="cpu").eval()
    size = card.input.size

    # Not `async`: FastAPI then calls it in a thread of its pool.
    @app.post("/v1/predict")
    def predict(file: UploadFile, top_k: int = 5) -> dict[str, object]:
        image = ImageOps.exif_transpose(Image.open(file.file)).convert("RGB").resize((size, size))
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
        with torch.inference_mode():
            probabilities = module(pixels)[0][0]
        best = probabilities.topk(min(top_k, len(card.classes)))
        guesses = [
            {"class": card.classes[index].class_name, "confidence": confidence}
            for confidence, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        return {"photos": [{"guesses": guesses}]}

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main() -> None:
    """Serve until killed."""
    folder, port, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    uvicorn.run(create_app(folder), port=port, log_level="warning")


if __name__ == "__main__":
    main()
