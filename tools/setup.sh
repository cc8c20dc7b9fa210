#!/bin/sh
# Makes .venv with what requirements.txt and constraints.txt pin. Done at once when it is there.
set -eu
CDPATH= cd -- "$(dirname -- "$0")/.."

venv=.venv
stamp=$venv/.installed
unfinished=$venv/.installing
# The folder is part of it: a virtual environment that was moved or copied does not work.
wanted="$(cat requirements.txt constraints.txt pyproject.toml | cksum) $PWD"

suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

works() { suitable "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && works; then
    exit 0
fi

# What somebody else's project set must not leak into this one.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIREMENT PIP_ONLY_BINARY \
    PIP_NO_BINARY PIP_NO_DEPS PIP_DRY_RUN PIP_BUILD_CONSTRAINT || true
export PIP_CONSTRAINT=/dev/null PIP_USER=0 PIP_NO_INPUT=1 PIP_REQUIRE_HASHES=0 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if suitable "$candidate" && "$candidate" -c 'import ensurepip' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    # None can do it all: the one that comes closest says what it lacks.
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if suitable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo python3
}

if ! works || [ -e "$unfinished" ]; then
    python=$(find_python)
    if ! "$python" -c '' 2>/dev/null; then
        echo "error: $python does not run. Install Python 3.11, 3.12 or 3.13" \
            "(Debian, Ubuntu: \`sudo apt-get install python3 python3-venv\`)" \
            "or name one: \`make PYTHON=/path/to/python3.12 setup\`." >&2
        exit 1
    fi
    # A half-made environment counts as free space: it goes before the disk is measured.
    rm -rf -- "$venv"
    "$python" tools/check_machine.py
    echo "Making $venv with $("$python" --version)"
    if ! "$python" -m venv "$venv"; then
        rm -rf -- "$venv"
        echo "error: $python -m venv failed, see above." >&2
        exit 1
    fi
fi

echo "Installing what requirements.txt pins: some 3 GB to download, a few minutes"
: >"$unfinished"
rm -f -- "$stamp"
# Downloads are unpacked beside .venv: /tmp is small on many machines. NVIDIA's libraries come
# first and alone, and on a small disk without pip's cache, so that 8 GB are enough.
mkdir -p "$venv/tmp"
export TMPDIR="$PWD/$venv/tmp"
grep '^nvidia-' constraints.txt >"$venv/tmp/nvidia.txt"
if [ "$(df -Pk . | awk 'NR == 2 { print $4 }')" -lt 14000000 ]; then
    export PIP_NO_CACHE_DIR=1
fi

install() { "$venv/bin/python" -m pip install "$@"; }

if ! install --no-deps --requirement "$venv/tmp/nvidia.txt" ||
    ! install --requirement requirements.txt --constraint constraints.txt ||
    ! install --no-deps --no-build-isolation --editable .; then
    rm -rf -- "$venv/tmp"
    echo "error: pip could not install the packages, see its last lines above." \
        "The network, a proxy (HTTPS_PROXY) or the disk are the usual reasons;" \
        "\`make setup\` starts again." >&2
    exit 1
fi
rm -rf -- "$venv/tmp" "$unfinished"
echo "$wanted" >"$stamp"
