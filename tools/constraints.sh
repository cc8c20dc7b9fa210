#!/bin/sh
# Pins the closure of requirements.txt, of the extras and of DVC's storages in constraints.txt.
# Keeps the versions that stand there unless requirements.txt forbids it.
set -eu
CDPATH= cd -- "$(dirname -- "$0")/.."

command -v uv >/dev/null || {
    echo "error: uv is missing. \`make setup\` brings it, or \`pipx install uv\`." >&2
    exit 1
}
part=constraints.txt.part
trap 'rm -f -- "$part" "$part.in"' EXIT
cp constraints.txt "$part"
echo 'dvc[azure,gs,s3,ssh,webdav]' >"$part.in"
uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header \
    --extra train --extra app --extra scale --output-file "$part" \
    requirements.txt "$part.in" pyproject.toml
{
    echo '# Exact versions of everything that requirements.txt, the extras of pyproject.toml and'
    echo '# the storages of DVC can bring, for Python 3.11 to 3.13. Made by `make constraints`.'
    grep -v '^ *#\|^-' "$part"
} >"$part.in"
mv -- "$part.in" constraints.txt
