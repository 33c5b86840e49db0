#!/bin/sh
# Makes .venv with the pinned dependencies and the `reconcile` command. Called by `make setup`; needs Python >= 3.11.
set -eu
: "${PYTHON:=python3}" "${VENV:=.venv}"

say() { printf '%s\n' "setup: $*" >&2; }

command -v "$PYTHON" >/dev/null 2>&1 || {
    say "no $PYTHON on this machine; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python $*"
    exit 69
}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "$("$PYTHON" --version) is too old; Python 3.11 or newer is needed: make PYTHON=python3.11 …"
    exit 69
}

# Debian ships Python without ensurepip; its own package brings it.
if ! "$PYTHON" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing python3-venv (Debian keeps it apart from Python)"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null
    else
        say "Python's venv module is incomplete; install it (Debian: apt-get install python3-venv) and run make again"
        exit 69
    fi
fi

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
say "installing pinned dependencies into $VENV"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --require-hashes -r requirements-dev.txt
"$VENV/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
    --no-deps --no-build-isolation --editable .
say "ready: $VENV/bin/reconcile"
