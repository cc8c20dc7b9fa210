"""Albums by country and landmark: a folder each, a page with all pictures and an offline map."""

import filecmp
import html
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from landmarks.errors import LandmarksError
from landmarks.files import replacing, write_text
from landmarks.prediction import Guess
from landmarks.tagging import stores, worldmap
from landmarks.tagging.deciding import Row

NOWHERE = "Elsewhere"
_LONGEST = 80
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Places</title>
<style>
body {{ font: 16px/1.4 system-ui, sans-serif; margin: 1.5rem auto; max-width: 75rem;
  padding: 0 1rem; color: #222; background: #fafafa }}
svg {{ width: 100%; height: auto; background: #e8f0f5; border-radius: 8px }}
h2 {{ margin: 2rem 0 0; border-bottom: 1px solid #ccc }}
h3 {{ margin: 1rem 0 .5rem; font-weight: 600 }}
.photos {{ display: grid; gap: .5rem;
  grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)) }}
figure {{ margin: 0 }}
img {{ width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 4px; background: #ddd }}
figcaption {{ font-size: .8rem; color: #666; overflow-wrap: anywhere }}
</style>
<h1>Places</h1>
<p>{count}, named by model {model}. Places were inferred from what the photos show.</p>
{map}
{albums}
</html>
"""


@dataclass
class Albums:
    """Photos by country and landmark in one folder.

    Attributes:
        folder: where they are; what lies there already stays.
        copies: whether photos are copied; else each is a link.
        model: which model named them, for the page.
        places: (country, landmark) -> place, and what is linked and how sure that is.
    """

    folder: Path
    copies: bool
    model: str
    places: dict[tuple[str, str], tuple[Guess, list[tuple[str, float]]]] = field(
        default_factory=dict
    )

    def add(self, row: Row) -> None:
        """Put a named photo into its album; one that is there already is left alone.

        Raises:
            LandmarksError: neither a link nor a copy can be made.
        """
        place = row.place
        assert place is not None
        key = place.country or NOWHERE, place.name
        album = self.folder / file_name(key[0]) / file_name(key[1])
        name = self._put(stores.local(row.read.found.path), row.read.sha256, album)
        self.places.setdefault(key, (place, []))[1].append((name, place.confidence))

    def write_page(self) -> None:
        """Write `index.html` over what the albums got in this run."""
        ordered = sorted(self.places.items())
        total = sum(len(photos) for _, photos in self.places.values())
        page = _PAGE.format(
            count=f"{total} photo{'s' if total != 1 else ''} of {len(ordered)} landmarks",
            model=html.escape(self.model),
            map=worldmap.dots(place for _, (place, _) in ordered),
            albums="\n".join(self._sections(ordered)),
        )
        write_text(self.folder / "index.html", page)

    def _put(self, photo: Path, sha256: str, album: Path) -> str:
        """Link or copy a photo, under another name where its own is another photo's; return it."""
        source = photo.resolve()
        names = [photo.name, f"{photo.stem}-{sha256[:12]}{photo.suffix}"]
        try:
            album.mkdir(parents=True, exist_ok=True)
            for name in names:
                target = album / name
                if self._is_there(target, source):
                    return name
                if not os.path.lexists(target):
                    self._make(target, source)
                    return name
        except OSError as error:
            raise LandmarksError(
                f"no photo can be put into the album {album}: {error.strerror}",
                hint="Mend that and run the same command again, or try --copies.",
            ) from error
        return names[-1]

    def _is_there(self, target: Path, source: Path) -> bool:
        if not self.copies:
            return target.is_symlink() and stores.real(target) == source
        same = target.is_file() and not target.is_symlink()
        return same and filecmp.cmp(target, source, shallow=False)

    def _make(self, target: Path, source: Path) -> None:
        if self.copies:
            with replacing(target) as temporary:
                shutil.copy2(source, temporary)
        else:
            target.symlink_to(os.path.relpath(source, target.parent.resolve()))

    def _sections(
        self, ordered: list[tuple[tuple[str, str], tuple[Guess, list[tuple[str, float]]]]]
    ) -> Iterable[str]:
        last = None
        for (country, name), (place, photos) in ordered:
            if country != last:
                yield f"<h2>{html.escape(country)}</h2>"
                last = country
            where = f", {html.escape(place.locality)}" if place.locality else ""
            yield f'<h3>{html.escape(name)}{where}</h3>\n<div class="photos">'
            for file, confidence in photos:
                path = "/".join(_quoted(file_name(part)) for part in (country, name))
                yield (
                    f'<figure><a href="{path}/{_quoted(file)}"><img loading="lazy" '
                    f'src="{path}/{_quoted(file)}" alt="{html.escape(name)}"></a>'
                    f"<figcaption>{html.escape(_text(file))} · {confidence:.0%}</figcaption>"
                    "</figure>"
                )
            yield "</div>"


def file_name(text: str) -> str:
    """Return a name that any file system takes; never one that leads elsewhere."""
    name = " ".join(_NOT_IN_NAMES.sub(" ", text).split()).strip(". ")
    return name[:_LONGEST].rstrip(". ") or "_"


def _quoted(name: str) -> str:
    return quote(os.fsencode(name))


def _text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")
