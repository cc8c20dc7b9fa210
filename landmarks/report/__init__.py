"""One page for people who would rather look than read: photos, curves, mistakes, words."""

import os
import tempfile

# matplotlib keeps settings and a list of fonts in its user's home, unless it is told another place
# before it is imported. The page depends on neither.
_PLACE = tempfile.TemporaryDirectory(prefix="landmarks-matplotlib-")
os.environ.setdefault("MPLCONFIGDIR", _PLACE.name)
