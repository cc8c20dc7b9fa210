"""`landmarks tag --engine ray`: shards of photos on the machines of a Ray cluster, by Ray Data.

The driver walks the folder, cuts it into shards and hands them out. A worker looks at a shard's
photos as the local engine does and writes its rows as one file, so whatever dies costs at most the
shards under way. The driver reads these files, in order, for the tables.
"""

import hashlib
import pickle
import socket
import tempfile
import warnings
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tqdm import tqdm

from landmarks import card as cards
from landmarks.errors import LandmarksError
from landmarks.predictor import Predictor
from landmarks.tagging import cluster, deaths, sidecars, tables
from landmarks.tagging.cluster import Cluster
from landmarks.tagging.deciding import INVENTED, Rules, decide
from landmarks.tagging.journal import state_folder
from landmarks.tagging.options import Options
from landmarks.tagging.parts import Parts, Shard, shards
from landmarks.tagging.reading import Forgetful, Reader, threads
from landmarks.tagging.stores import Place
from landmarks.tagging.walk import walk

if TYPE_CHECKING:
    from landmarks.tagging.run import Tally

WINDOW = 4096
"""Shards that are handed out before the tables get their rows: what the driver holds in memory."""

DEATHS = 5
"""Times that a shard is begun anew after its worker died: a photo may be what kills it."""

READ_BACK = 16
"""Shards that are read in any case: their workers may have written to disks of their own."""

_AGAIN = "What is done is kept: mend that and run the same command again."


@dataclass(frozen=True)
class Job:
    """What a worker is told once.

    Attributes:
        folder: of the photos.
        parts: where rows go.
        model: files of the model by name.
        rules: what is safe to write.
        cpus: processors that the worker has.
        cuda: whether it has a GPU.
    """

    folder: Place
    parts: Parts
    model: dict[str, bytes]
    rules: Rules
    cpus: int
    cuda: bool


_Counts = Counter[tuple[str, bool]]
"""Photos by decision, and by whether a model of invented places kept them from one."""


def _count(rows: Iterable[dict[str, Any]]) -> _Counts:
    return Counter((row["decision"], row["reason"] == INVENTED) for row in rows)


class Worker:
    """Lives on some machine of the cluster and looks at shards, with the model loaded once."""

    def __init__(self, packed: Any, ledger: Any) -> None:
        import ray

        self._job: Job = ray.get(packed)
        self._ledger = ledger
        self._predictor: Predictor | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Look at shards; say of each what its photos turned out to be, or what was wrong.

        No counts are those of a shard that ended too many workers.
        """
        said = [self._try(pickle.loads(packed)) for packed in batch["shard"]]
        return {key: [one[key] for one in said] for key in said[0]}

    def _try(self, shard: Shard) -> dict[str, Any]:
        import ray

        counts: _Counts | None = None
        wrong = ""
        try:
            worker, machine = deaths.mine()
            if ray.get(self._ledger.begin.remote(shard.name, worker, machine)):
                counts = self._look(shard)
                self._ledger.end.remote(shard.name, worker)
        except Exception as error:  # it is the driver's to say it
            kind = "" if isinstance(error, LandmarksError) else f"{type(error).__name__}: "
            wrong = f"worker on {socket.gethostname()}: {kind}{error}"
        return {"shard": shard.name, "error": wrong, "counts": pickle.dumps(counts)}

    def _look(self, shard: Shard) -> _Counts:
        job = self._job
        if isinstance(job.folder, Path) and not job.folder.is_dir():
            raise LandmarksError(
                f"{job.folder}: a machine of the cluster has no such folder",
                hint="Name one that all reach, or a URL",
            )
        self._predictor = self._predictor or _load(job)
        reader = Reader(self._predictor, Forgetful(), threads(job.folder, job.cpus))
        context = tables.Context(job.folder, job.rules.card.version)
        rows = []
        for read in reader.read(shard.photos):
            own, _ = sidecars.own_position(read.found, read.header)
            rows.append(tables.record(decide(read, job.rules, own), context))
        job.parts.write(shard, rows)
        return _count(rows)


def _load(job: Job) -> Predictor:
    with tempfile.TemporaryDirectory(prefix="landmarks-") as folder:
        for name, content in job.model.items():
            (Path(folder) / name).write_bytes(content)
        return Predictor.load(folder, threads=job.cpus, cuda=job.cuda)


def tag(options: Options, tally: "Tally") -> None:
    """Look at all photos that no part has yet, and write the tables.

    Raises:
        LandmarksError: the cluster or a store does not answer, a worker has something to complain
            about, or dies again and again.
    """
    job = _job(options)
    asked = f"{job.rules.card.version} {options.min_confidence} {options.per_class}"
    context = tables.Context(job.folder, job.rules.card.version)
    there, every = job.parts.names(), set[str]()
    job.parts.begin()
    with (
        tables.tables(*options.tables, context) as opened,
        tqdm(unit=" photos", disable=None, smoothing=0.05) as bar,
        _Hands(options.cluster, job) as hands,
    ):
        cut = shards(walk(job.folder, tally.complain), job.folder, asked)
        while window := list(islice(cut, WINDOW)):
            for shard, counts in hands.whole(window, there):
                if opened or counts is None or len(every) < READ_BACK:
                    counts = _written(job, shard, opened)
                every.add(shard.file)
                tally.add(counts)
                bar.update(len(shard.photos))
    if not tally.complaints:  # else some of its photos may still be there
        job.parts.finish(every)


def _written(job: Job, shard: Shard, opened: list[tables.Written]) -> _Counts:
    """Put the rows of a shard into tables, and count them."""
    columns = None if opened else ("decision", "reason")
    rows = list(job.parts.rows(shard, job.folder, columns))
    for row in rows:
        for table in opened:
            table.put(row)
    return _count(rows)


def _job(options: Options) -> Job:
    """Gather what workers are told; paths are whole, as workers run in folders of their own."""
    card = cards.read(options.model)
    model = {cards.ONNX: cards.read_verified(options.model, cards.ONNX, card)}
    model[cards.CARD] = (options.model / cards.CARD).read_bytes()
    folder = _whole(options.folder)
    state = options.state or state_folder()
    name = hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    parts = Parts(_whole(options.parts or state / f"parts-{name}"))
    rules = Rules(card, options.min_confidence, options.per_class, {})
    return Job(folder, parts, model, rules, options.cluster.cpus, options.cluster.gpus > 0)


def _whole(where: Place) -> Place:
    return where.absolute() if isinstance(where, Path) else where


class _Hands:
    """The cluster, which is asked for when there is something to do."""

    def __init__(self, wanted: Cluster, job: Job) -> None:
        self._wanted, self._job = wanted, job
        self._open = ExitStack()
        self._given: tuple[Any, Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def whole(self, window: list[Shard], there: set[str]) -> Iterator[tuple[Shard, _Counts | None]]:
        """Yield shards in their order, each as soon as its rows are written, and its counts.

        Args:
            window: what is to be done.
            there: the files of shards that were written before; their counts are not known.

        Raises:
            LandmarksError: some were not written; says why.
        """
        done: dict[str, _Counts | None] = {
            shard.name: None for shard in window if shard.file in there
        }
        waiting = deque(window)
        for said in self._results([shard for shard in window if shard.name not in done]):
            if (counts := pickle.loads(said["counts"])) is not None:
                done[said["shard"]] = counts
            while waiting and waiting[0].name in done:
                yield waiting[0], done[waiting.popleft().name]
        if lost := [shard for shard in waiting if shard.name not in done]:
            raise _deadly(lost[0])
        yield from ((shard, done[shard.name]) for shard in waiting)

    def _results(self, todo: list[Shard]) -> Iterator[dict[str, Any]]:
        if not todo:
            return
        import ray

        if self._given is None:
            self._open.enter_context(cluster.connected(self._wanted))
            self._given = ray.put(self._job), deaths.ledger(DEATHS)
        try:
            for said in self._hand_out(todo).iter_rows():
                if said["error"]:
                    raise LandmarksError(said["error"])
                yield said
        except ray.exceptions.RayError as error:
            raise LandmarksError(f"Ray: {cluster.first_line(error)}", hint=_AGAIN) from error

    def _hand_out(self, todo: list[Shard]) -> Any:
        import ray

        wanted = self._wanted
        rows = [{"shard": pickle.dumps(shard)} for shard in todo]
        data = ray.data.from_items(rows, override_num_blocks=len(rows))
        with warnings.catch_warnings():
            # Ray 2.64 is to have a name of its own for `max_task_retries`, and 2.60 has not.
            warnings.simplefilter("ignore", DeprecationWarning)
            return data.map_batches(
                Worker,
                fn_constructor_args=self._given,
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=min(cluster.room(wanted), len(rows))),
                num_cpus=wanted.cpus,
                num_gpus=wanted.gpus or None,
                max_task_retries=-1,  # who is to blame is the ledger's to find out
            )


def _deadly(shard: Shard) -> LandmarksError:
    """Return what is said of a shard whose workers died, however often it was begun."""
    first, last = shard.photos[0].path, shard.photos[-1].path
    return LandmarksError(
        f"{DEATHS + 1} workers died at one of the photos from {first} to {last}",
        hint="Look for want of memory in Ray's logs, or move the photo away that ends them. "
        + _AGAIN,
    )
