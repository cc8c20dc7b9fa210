"""Clients that ask a service as fast as it answers: a process of their own.

`python -m benchmarks.serving_load URL FOLDER CLIENTS SECONDS` prints one line of JSON.
"""

import asyncio
import itertools
import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

BOUNDARY = "landmarks-benchmark"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
WARM_UP = 0.2
"""Share of the time before answers count."""

warnings.simplefilter("ignore", ResourceWarning)  # that large bodies are sent in one piece


@dataclass
class Load:
    """What clients saw.

    Attributes:
        seconds: from a request's start to its answer's end, of those answered with 200.
        statuses: how many answers had each status; 0 is a broken connection.
        names: the likeliest class of each photo.
        answered: photos in all, those of the warm-up included.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)
    answered: int = 0


def form(photo: bytes) -> bytes:
    """Return the body of a form with one photo."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    return head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()


async def ask(
    session: aiohttp.ClientSession,
    url: str,
    bodies: Iterator[tuple[str, bytes]],
    window: tuple[float, float],
    load: Load,
) -> None:
    """Ask one photo after the other until the window ends; note what began within it."""
    while (started := time.monotonic()) < window[1]:
        name, body = next(bodies)
        status, pause = 0, 0.1
        try:
            async with session.post(f"{url}/v1/predict", data=body, headers=HEADERS) as answer:
                status, tree = answer.status, await answer.json(content_type=None)
                pause = float(answer.headers.get("Retry-After", 0))
        except aiohttp.ClientError:
            status = 0  # no answer: the table shows it among what is not 200
        ended = time.monotonic()
        if status == 200:
            load.answered += 1
            load.names[name] = tree["photos"][0]["guesses"][0]["class"]
        if window[0] <= ended <= window[1]:
            load.statuses[status] += 1
            if status == 200:
                load.seconds.append(ended - started)
        await asyncio.sleep(min(pause, max(0.0, window[1] - ended)))


async def run(url: str, folder: Path, clients: int, seconds: float) -> dict[str, object]:
    """Ask with so many clients, and return what they saw."""
    photos = [(path.name, form(path.read_bytes())) for path in sorted(folder.iterdir())]
    load, bodies = Load(), itertools.cycle(photos)
    now = time.monotonic()
    window = now + seconds * WARM_UP, now + seconds * (1 + WARM_UP)
    connector = aiohttp.TCPConnector(limit=clients)
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await asyncio.gather(*(ask(session, url, bodies, window, load) for _ in range(clients)))
    times = load.seconds or [float("nan")]
    return {
        "photos_a_second": len(load.seconds) / seconds,
        "p50_ms": float(np.percentile(times, 50) * 1000),
        "p99_ms": float(np.percentile(times, 99) * 1000),
        "statuses": load.statuses,
        "names": load.names,
        "answered": load.answered,
    }


def main() -> None:
    """Parse the command line, ask, print."""
    url, folder, clients, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(run(url, Path(folder), int(clients), float(seconds)))))


if __name__ == "__main__":
    main()
