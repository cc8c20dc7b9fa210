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
    PIP_NO_BINARY PIP_NO_DEPS PIP_DRY_RUN PIP_BUILD_CONSTRAINT UV_CONSTRAINT UV_OVERRIDE \
    UV_BUILD_CONSTRAINT UV_EXCLUDE UV_EXCLUDE_NEWER UV_RESOLUTION UV_PRERELEASE UV_NO_BINARY \
    UV_ONLY_BINARY UV_NO_BUILD UV_REQUIRE_HASHES UV_TARGET UV_PREFIX UV_NO_DEPS UV_NO_EDITABLE \
    UV_TORCH_BACKEND UV_SYSTEM_PYTHON || true
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
# Downloads are unpacked beside .venv: /tmp is small on many machines. On a small disk nothing is
# kept for the next time, so that 8 GB are enough.
mkdir -p "$venv/tmp"
export TMPDIR="$PWD/$venv/tmp"
least=$(df -Pk . "${HOME:-.}" 2>/dev/null | awk 'NR > 1 { print $4 }' | sort -n | head -n 1)
if [ "$least" -lt 14000000 ]; then
    export PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1
fi

pip() { "$venv/bin/python" -m pip "$@"; }

# What pip was told about where packages are, so that uv asks there and nowhere else.
tell_uv() {
    settings=$(pip config list) || return 1
    pip_says index-url UV_DEFAULT_INDEX
    pip_says extra-index-url UV_INDEX
    pip_says find-links UV_FIND_LINKS ,
    pip_says trusted-host UV_INSECURE_HOST
    pip_says cert SSL_CERT_FILE
    no_index=
    pip_says no-index no_index
    case $no_index in 0 | [fFnN]* | [oO][fF]*) no_index= ;; esac
}

# SETTING VARIABLE [SEPARATOR]
pip_says() {
    value=$(printf '%s\n' "$settings" |
        sed -n "s/^\(:env:\|install\|global\)\.$1=['\"]\(.*\)['\"]\$/\2/p" |
        sed 's/\\n/ /g; s/^ *//; s/  */'"${3:- }/g; q")
    [ -z "$value" ] || export "$2=$value"
}

uv_install() {
    "$venv/bin/uv" pip install --python "$venv/bin/python" --compile-bytecode \
        --index-strategy unsafe-best-match ${no_index:+--no-index} "$@"
}

# Several times as fast as pip: it downloads and unpacks side by side.
with_uv() {
    pip install --quiet --no-deps --constraint constraints.txt uv && tell_uv &&
        uv_install --requirement requirements.txt --constraint constraints.txt &&
        uv_install --no-deps --no-build-isolation --editable .
}

# NVIDIA's libraries come first and alone, or their archives would lie beside all that is unpacked.
with_pip() {
    grep '^nvidia-' constraints.txt >"$venv/tmp/nvidia.txt"
    pip install --no-deps --requirement "$venv/tmp/nvidia.txt" &&
        pip install --requirement requirements.txt --constraint constraints.txt &&
        pip install --no-deps --no-build-isolation --editable .
}

if ! with_uv && ! { echo "uv could not install the packages; pip tries." && with_pip; }; then
    rm -rf -- "$venv/tmp"
    echo "error: pip could not install the packages, see its last lines above." \
        "The network, a proxy (HTTPS_PROXY) or the disk are the usual reasons;" \
        "\`make setup\` starts again." >&2
    exit 1
fi
rm -rf -- "$venv/tmp" "$unfinished"
echo "$wanted" >"$stamp"
