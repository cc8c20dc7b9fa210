"""`landmarks tag`: one run over a folder, from its options to its exit status."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from landmarks import environment
from landmarks.errors import LandmarksError, report
from landmarks.files import clear_leftovers
from landmarks.predictor import Predictor
from landmarks.tagging import deciding, sidecars, stores, tables
from landmarks.tagging.albums import Albums
from landmarks.tagging.deciding import Row, Rules, decide
from landmarks.tagging.journal import Journal, one_run, state_folder
from landmarks.tagging.options import Options
from landmarks.tagging.reading import Reader, threads
from landmarks.tagging.review import Review
from landmarks.tagging.stores import Place
from landmarks.tagging.walk import Found, walk


@dataclass
class Tally:
    """What happened, for the summary and the exit status."""

    decisions: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    not_drawn: int = 0
    complaints: int = 0

    def add(self, counts: Mapping[tuple[str, bool], int]) -> None:
        """Count photos by decision, and by whether they were `deciding.INVENTED`."""
        for (decision, not_drawn), photos in counts.items():
            self.decisions[decision] += photos
            self.not_drawn += photos * not_drawn

    def complain(self, path: Place, reason: str) -> None:
        """Say that something is wrong with a file or folder, and go on."""
        self.complaints += 1
        said = reason if str(path) in reason else f"{path} cannot be read: {reason}"
        tqdm.write(report(LandmarksError(said)), file=sys.stderr)


def tag(options: Options) -> int:
    """Do what the options ask, print a summary, and return the exit status.

    Returns:
        0; 1 if some photo, folder or sidecar could not be dealt with; 130 after Ctrl-C.

    Raises:
        LandmarksError: the options, the model, the journal or an output is no good.
    """
    options.check()
    tally = Tally()
    here = options.state if isinstance(options.state, Path) else state_folder()
    try:
        with one_run(here, options.folder):
            if options.undo:
                _undo(options, tally)
            elif options.engine == "ray":
                from landmarks.tagging import spread

                spread.tag(options, tally)
                _summarize(options, tally)
            else:
                _tag(options, here, tally)
    except KeyboardInterrupt:  # the command line would exit without a word
        print("error: interrupted; run the same command again to continue", file=sys.stderr)
        return 130
    return 1 if tally.complaints or tally.decisions["unreadable"] else 0


def _undo(options: Options, tally: Tally) -> None:
    for change in sidecars.undo(stores.local(options.folder), tally.complain):
        what = "removed" if change.after is None else "restored"
        if options.dry_run:
            print(f"{change.path}: would be {what}")
        tally.written[what] += options.dry_run or _write(change, tally)
    said = "would be " if options.dry_run else ""
    print(f"sidecars: {tally.written['restored']} {said}restored, ", end="")
    print(f"{tally.written['removed']} {said}removed")


def _tag(options: Options, state: Path, tally: Tally) -> None:
    predictor = Predictor.load(options.model)
    card = predictor.card
    context = tables.Context(options.folder, card.version)
    review = Review(options.review, card, context) if options.review else None
    verdicts = review.verdicts if review else {}
    rules = Rules(card, options.min_confidence, options.per_class, verdicts)
    albums = Albums(options.albums, options.copies, card.version) if options.albums else None
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open(state, card.version))
        asked = (None, None, None) if options.dry_run else options.tables
        opened: list[tables.Table] = list(stack.enter_context(tables.tables(*asked, context)))
        if review:
            opened.append(review)
        reader = Reader(predictor, journal, threads(options.folder, environment.cores()))
        for read in reader.read(_photos(options, tally)):
            own, said_by = sidecars.own_position(read.found, read.header)
            row = decide(read, rules, own)
            tally.add({(row.decision, row.reason == deciding.INVENTED): 1})
            changes = _changes(row, context.model, bool(said_by), tally) if options.xmp else []
            if options.dry_run:
                _say(row, options, changes)
            else:
                _place(row, changes, albums, tally)
            for table in opened:
                table.add(row)
    if albums and not options.dry_run:
        albums.write_page()
    _summarize(options, tally)
    if review and not options.dry_run:
        review.write()  # last: by now a person may have spoiled it


def _photos(options: Options, tally: Tally) -> Iterator[Found]:
    """Walk the folder with a progress bar where a person looks on."""
    folder, total = options.folder, None
    here: Path | None = None
    if sys.stderr.isatty() and isinstance(folder, Path):
        total = sum(1 for _ in walk(folder, lambda path, reason: None))
    bar: Iterable[Found] = tqdm(
        walk(folder, tally.complain), total=total, unit=" photos", disable=None, smoothing=0.05
    )
    for found in bar:
        if options.xmp and not options.dry_run and stores.local(found.path).parent != here:
            here = stores.local(found.path).parent
            clear_leftovers(here, names="*.xmp.*")  # of a run that was killed
        yield found


def _changes(row: Row, model: str, has_position: bool, tally: Tally) -> list[sidecars.Change]:
    """Return what the sidecars of a photo become."""
    changes = []
    for path in sidecars.concerned(row):
        try:
            change = sidecars.change(row, path, model, has_position)
        except sidecars.Refused as error:
            tally.complain(path, str(error))
        else:
            changes += [change] if change else []
    return changes


def _place(row: Row, changes: list[sidecars.Change], albums: Albums | None, tally: Tally) -> None:
    """Write what becomes of the sidecars, and put a named photo into its album."""
    named = row.decision == "named"
    for change in changes:
        its = named and change.path == row.read.found.sidecar
        if change.needed:
            tally.written["sidecars" if its else "cleared"] += _write(change, tally)
        else:
            tally.written["unchanged"] += its
    if albums and named:
        albums.add(row)
        tally.written["albums"] += 1


def _write(change: sidecars.Change, tally: Tally) -> bool:
    """Write what a sidecar becomes, and tell whether that went well."""
    try:
        sidecars.write(change)
    except sidecars.Refused as error:
        tally.complain(change.path, str(error))
        return False
    return True


def _say(row: Row, options: Options, changes: list[sidecars.Change]) -> None:
    """Print what would be done with a photo."""
    found, named = row.read.found, row.decision == "named"
    needed = [change.path for change in changes if change.needed]
    into = [str(path) for path in needed if named and path == found.sidecar]
    out_of = [str(path) for path in needed if str(path) not in into]
    gone = f", a place would be taken out of {' and '.join(out_of)}" if out_of else ""
    if not named or row.place is None:
        why = f" ({row.reason})" if row.reason else ""
        print(f"{found.path}: {row.decision}{why}{gone}")
        return
    place = f"{row.place.name}, {row.place.place}" if row.place.place else row.place.name
    into += [str(options.albums)] if options.albums else []
    would = f", would be written to {' and '.join(into)}" if into else ""
    print(f"{found.path}: {place} ({row.place.confidence:.1%}){would}{gone}")


def _summarize(options: Options, tally: Tally) -> None:
    """Print what happened in lines that scripts can read, and what keeps photos from a place."""
    total = sum(tally.decisions.values())
    kinds = ("named", "unsure", "unknown", "unreadable")
    print(f"photos: {total}: " + ", ".join(f"{tally.decisions[one]} {one}" for one in kinds))
    if options.xmp and not options.dry_run:
        counts = tally.written
        print(f"sidecars: {counts['sidecars']} written, {counts['unchanged']} unchanged, ", end="")
        print(f"{counts['cleared']} cleared")
    if options.albums and not options.dry_run:
        print(f"albums: {tally.written['albums']} photos in {options.albums}")
    if tally.not_drawn:
        wanted = options.xmp or options.albums is not None
        tally.complaints += wanted
        said = deciding.demonstration(tally.not_drawn)
        print(("error: " if wanted else "note: ") + said, file=sys.stderr)
    outputs = (*options.tables, options.parts, options.review, options.albums)
    if not (options.xmp or options.dry_run or any(outputs)):
        print("note: nothing was asked to be written; see --csv, --json, --xmp", file=sys.stderr)
