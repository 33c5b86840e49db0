#!/bin/sh
# Everything that `make test` does after set-up: system tools, lint, types, import contracts, tests.
# CI=true makes a left-out test a failure (tests/conftest.py), but for those that need a GPU.
set -eu
: "${VENV:=.venv}"
BIN="$VENV/bin"

say() { printf '%s\n' "test: $*" >&2; }

# Command and the Debian package that brings it: what some tests need beyond Python.
missing=""
for pair in ffmpeg:ffmpeg ip:iproute2 nft:nftables; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing$missing"
        apt-get update -qq
        # shellcheck disable=SC2086 # a list of package names
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
    else
        say "not here, and only root can install them:$missing; the tests that need them are left out and named below"
    fi
fi

say "format"; "$BIN/ruff" format --check --quiet .
say "lint"; "$BIN/ruff" check --quiet .
say "types"; "$BIN/mypy"
say "import contracts"; "$BIN/lint-imports" --no-logo
say "tests"; exec "$BIN/python" -m pytest "$@"
