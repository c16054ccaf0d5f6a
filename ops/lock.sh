#!/bin/sh
# Make requirements.lock and requirements-dev.lock again from pyproject.toml, for every Python and platform at once.
# Arguments go to `uv pip compile`; without --upgrade the versions that stand in the files stay where they can.

set -eu
cd "$(dirname "$0")/.."

UV=uv==0.13.9
TOOLS=.cache/lock-tools

[ -x .venv/bin/python ] || sh ops/bootstrap.sh runtime
[ "$(cat "$TOOLS/made" 2>/dev/null)" = "$UV" ] || {
    .venv/bin/python -m venv --clear "$TOOLS"
    "$TOOLS/bin/python" -m pip --disable-pip-version-check --no-input install "$UV"
    echo "$UV" >"$TOOLS/made"
}

compile() {
    UV_CUSTOM_COMPILE_COMMAND="make lock" "$TOOLS/bin/uv" pip compile --universal --python-version 3.11 \
        --python .venv/bin/python --generate-hashes --no-emit-index-url --no-emit-find-links --quiet "$@" pyproject.toml
}

echo "locking the runtime" >&2
compile --extra build -o requirements.lock "$@"
echo "locking the tools of development" >&2
compile --extra build --extra dev -c requirements.lock -o requirements-dev.lock "$@"
