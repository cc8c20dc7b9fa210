"""Put the archive of the photos, and that of the negatives, where the pipeline wants them."""

import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tqdm import tqdm

from landmarks import files
from landmarks.data import repack
from landmarks.data.archive import Archive, Photo, kinds, layout, open_archive
from landmarks.data.disk import NoSpace, move, telling_disk_errors
from landmarks.data.fetch import PATIENCE, Patience, fetching
from landmarks.data.members import total_skipped
from landmarks.data.partial import forget
from landmarks.data.remote import LOCAL_COPY, local, local_copy, shown
from landmarks.data.sample import write_sample
from landmarks.errors import LandmarksError
from landmarks.params import Download, Sample

SAMPLE = "sample"
_OTHER_COPY = local_copy("NEGATIVES", "negatives.zip")


def download(
    settings: Download,
    archive: Path,
    negatives: Path,
    *,
    state: Path,
    patience: Patience = PATIENCE,
) -> None:
    """Write both zip archives, each whole or not at all, and check that their layout will do.

    The built-in sample draws negatives of its own; `download.negatives` takes their place when it
    is set. Other sources without negatives get an empty zip.

    Args:
        settings: the parameters of the stage.
        archive: where the zip of class folders goes.
        negatives: where the zip of photos of no known landmark goes.
        state: a folder that survives a killed run, for partial downloads.

    Raises:
        LandmarksError: see `landmarks.data.fetch`, `members` and `layout`.
    """
    with telling_disk_errors(archive.parent):
        _download(settings, archive, negatives, state, patience)


def _download(
    settings: Download, archive: Path, negatives: Path, state: Path, patience: Patience
) -> None:
    """Bring both archives, the small one first, and put them into place when both are right."""
    sample = settings.source == SAMPLE
    if settings.negatives == settings.source:
        raise LandmarksError(
            "`download.negatives` names the archive of the photos itself",
            hint="Name an archive of photos that show none of its landmarks, or set it to null.",
        )
    if sample and settings.sha256:
        raise LandmarksError(
            "`download.sha256` is set, but the sample is drawn, not downloaded",
            hint="Set it to null in params.yaml.",
        )
    with ExitStack() as brought:
        wholes = []
        if settings.negatives:
            named = settings.negatives, settings.negatives_sha256
            whole = brought.enter_context(
                _bringing(*named, negatives, _kinds, state, patience, _OTHER_COPY)
            )
            wholes.append((whole, negatives))
        if not sample:
            named = settings.source, settings.sha256
            whole = brought.enter_context(_bringing(*named, archive, _classes, state, patience))
            wholes.append((whole, archive))
        if sample:
            _draw(settings.sample, archive, negatives)
        elif not settings.negatives:
            with files.replacing(negatives) as temporary:
                zipfile.ZipFile(temporary, "w").close()
        for whole, destination in wholes:
            move(whole, destination)
    forget(state)


def _draw(settings: Sample, archive: Path, negatives: Path) -> None:
    seconds = 0.5 if sys.stderr.isatty() else 10  # a log needs no moving picture
    with tqdm(desc="drawing the sample", unit=" pictures", mininterval=seconds) as bar:

        def progress(drawn: int, total: int) -> None:
            bar.total = total
            bar.update(drawn - bar.n)

        write_sample(archive, negatives, settings, progress)


@contextmanager
def _bringing(
    source: str,
    sha256: str | None,
    destination: Path,
    place: Callable[[Archive, str], list[Photo]],
    state: Path,
    patience: Patience,
    copy: str = LOCAL_COPY,
) -> Iterator[Path]:
    """Fetch an archive, make it a zip, look at what is in it; yield it, ready to be moved.

    What was fetched is kept for the next run where this one fails, unless it was refused. `copy`
    is the advice to name a file of this machine.
    """
    folder = local(source)
    if folder.is_dir() and sha256:
        raise LandmarksError(
            f"{source} is a folder, which has no SHA-256", hint="Set it to null in params.yaml."
        )
    packed = state / f"{destination.stem}.zip"
    with ExitStack() as held:
        held.callback(packed.unlink, missing_ok=True)
        origin, partial = folder, None
        try:
            if not folder.is_dir():
                fetched = fetching(source, sha256=sha256, state=state, patience=patience)
                partial = held.enter_context(fetched)
                origin = partial.path
            if origin.is_file() and repack.kind(_head(origin)) == "zip":
                whole = origin
            else:
                repack.normalise(origin, packed)
                whole = packed
            with open_archive(whole) as archive:
                _report(archive, place(archive, shown(source)), destination)
        except LandmarksError as error:
            if partial and not isinstance(error, NoSpace):
                partial.discard()
            # Its user knows the archive by the name they gave it, not by where we keep it.
            said = error.message
            for ours in (packed, partial.path) if partial else (packed,):
                said = said.replace(str(ours), shown(source))
            hint = error.hint.replace(LOCAL_COPY, copy)
            raise LandmarksError(said, hint=hint) from error
        yield whole


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(repack.HEAD_BYTES)


def _classes(archive: Archive, name: str) -> list[Photo]:
    return layout(archive.members, archive.folders, archive=name)


def _kinds(archive: Archive, name: str) -> list[Photo]:
    if not (found := kinds(archive.members, archive=name)):
        raise LandmarksError(
            f"{name} has no photo",
            hint="Name another archive in `download.negatives`, or set it to null.",
        )
    return found


def _report(archive: Archive, photos: list[Photo], destination: Path) -> None:
    skipped = archive.skipped.copy()
    if outside := len(archive.members) - len(photos):
        skipped["outside the class folders"] += outside
    folders = len({photo.class_name for photo in photos})
    left_out = f"; left out: {total_skipped(skipped.items())}" if skipped else ""
    print(f"{destination}: {len(photos):,} photos in {folders:,} folders{left_out}")
