#!/bin/sh
# What CI asks of a commit: that its results are its own, committed and pushed; and what changed.
# BASE: what it is compared with (origin/main). SUMMARY: the file that gets the tables and curves.
set -eu
CDPATH= cd -- "$(dirname -- "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" DVC_NO_ANALYTICS=1
summary=${SUMMARY:-${GITHUB_STEP_SUMMARY:-summary.md}}
base=${BASE:-origin/main}

title() { printf '\n== %s\n' "$1"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

commit=$(git rev-parse HEAD)
# On the main branch itself a commit is compared with the one before it.
if [ "$(git rev-parse --verify --quiet "$base^{commit}" || echo none)" = "$commit" ]; then
    base=HEAD~1
fi

title "Restore, and run only what this commit changed without saying so in dvc.lock"
dvc repro --pull --allow-missing

title "dvc.lock and metrics are committed"
changed=$(git status --porcelain -- dvc.lock metrics)
[ -z "$changed" ] || fail "the results of this commit are not committed:" $changed \
    "- type dvc repro, then commit dvc.lock and metrics."

title "Data and models are pushed"
missing=$(dvc data status --not-in-remote --json |
    python -c 'import json, sys; print(*json.load(sys.stdin).get("not_in_remote", []))')
[ -z "$missing" ] || fail "the storage lacks $missing - type dvc push where they were made."

title "What changed against $base"
if git rev-parse --verify --quiet "$base^{commit}" >/dev/null; then
    python -m tools.ci_summary "$base" >>"$summary"
    # Kept by CI as a file: a page with every curve twice.
    dvc plots diff "$base" "$commit" >/dev/null
else
    echo "There is no $base to compare with."
fi
title "Done"
