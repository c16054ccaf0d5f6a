#!/bin/sh
# Change the pure folds in about two thousand small ways, one at a time, and run its example tests against each: a change
# that no test notices is a sentence that no test states. docs/mutation.md tells more.
#
#     sh ops/mutants.sh                                      all of them, about ten minutes
#     sh ops/mutants.sh 'stream_processors.ledger.batch.*'   those whose names match
#
# Ends with 1 when one survives that tests/ledger/surviving_mutants.toml does not explain.

set -eu
cd "$(dirname "$0")/.."

# Installed without asking what they depend on: mutmut wants a newer click than Faust allows, and the rest of what they
# need stands in the lock. So it has an environment of its own, too.
TOOLS="mutmut==3.8.1 click==8.5.1 libcst==1.9.0 setproctitle==1.3.8
textual==8.2.8 linkify-it-py==2.2.0 mdit-py-plugins==0.7.0"
TREE="pyproject.toml schemas stream_processors producers sinks readers cercles tests"
PLACE=$PWD/build/mutants
PATH=$PLACE/venv/bin:$PATH
export PATH

fingerprint=$(echo "$TOOLS" "$PLACE" | cat - requirements-dev.lock | cksum)
[ "$(cat "$PLACE/venv/made" 2>/dev/null)" = "$fingerprint" ] || {
    echo "making the environment of the mutants" >&2
    .venv/bin/python -m venv --clear "$PLACE/venv"
    python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements-dev.lock >&2
    # shellcheck disable=SC2086 # words, each of them an argument
    python -m pip --disable-pip-version-check --quiet install --no-deps $TOOLS >&2
    echo "$fingerprint" >"$PLACE/venv/made"
}

rm -rf "$PLACE/tree"
mkdir -p "$PLACE/tree"
# shellcheck disable=SC2086 # likewise
cp -R $TREE "$PLACE/tree"
cd "$PLACE/tree"

echo "trying mutant after mutant; build/mutants/run.log shows how far it is" >&2
nice -n 19 mutmut run "$@" >"$PLACE/run.log" 2>&1 || {
    # Its figures go round on one line.
    tr '\r' '\n' <"$PLACE/run.log" | tail -n 40 >&2
    exit 2
}
exec nice -n 19 python -m tests.ledger.surviving_mutants
