#!/bin/sh
# Check what Cercles needs of this machine, and make the virtual environment of this clone.
#
#     sh ops/bootstrap.sh runtime     what `make demo` and `make up` need
#     sh ops/bootstrap.sh dev         that, and what the tests and the checks need
#
# PYTHON=/path/to/python chooses the interpreter; else the first suitable one of CANDIDATES is taken. The environment
# holds exactly what the lock file names: when a lock changes, it is made anew. Nothing changed: this ends at once.
# Interrupted: run it again; a stamp is written only after its step is done.

set -eu
cd "$(dirname "$0")/.."

ENVIRONMENT=.venv
OLDEST_PYTHON=3.11
CANDIDATES="python3 python3.11 python3.12 python3.13 python3.14"

kind=${1:-}
case $kind in
    runtime) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *)
        echo "usage: sh ops/bootstrap.sh runtime|dev" >&2
        exit 2
        ;;
esac

say() {
    printf 'cercles: %s\n' "$1"
}

# The first argument says what is wrong, the others what to do.
stop() {
    printf 'cercles: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '         %s\n' "$line" >&2; done
    exit 1
}

check_machine() {
    system=$(uname -s)
    [ "$system" = Linux ] || stop "this is $system; Cercles runs on Linux." \
        "Use a Linux machine, a virtual one, or the containers of docker-compose.yml."
    machine=$(uname -m)
    case $machine in
        x86_64 | aarch64 | arm64) ;;
        *) stop "this processor is $machine; Cercles needs x86-64 or arm64, which its binary packages are made for." ;;
    esac
    libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || libc=$(ldd --version 2>&1) || true
    case $libc in
        *musl*) stop "the C library here is musl; Cercles needs glibc, which its binary packages are made for." \
            "Alpine has musl: use Debian, Ubuntu, Fedora or the like, or the containers of docker-compose.yml." ;;
    esac
    command -v git >/dev/null 2>&1 || stop "git is missing." \
        "Debian, Ubuntu: apt-get install git. Fedora: dnf install git."
}

# Print what is wrong with an interpreter; nothing when it will do.
fault_of() {
    command -v "$1" >/dev/null 2>&1 || { echo "is not there"; return; }
    "$1" - "$OLDEST_PYTHON" 2>/dev/null <<'PYTHON' || echo "does not run"
import os, sys

oldest = sys.argv[1]
ours = "%d.%d" % sys.version_info[:2]
if sys.version_info[:2] < tuple(int(part) for part in oldest.split(".")):
    print("is Python %s, older than %s" % (ours, oldest))
elif sys.implementation.name != "cpython":
    print("is %s, not CPython" % sys.implementation.name)
else:
    try:
        os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        print("is made for another C library than glibc")
    else:
        try:
            import ensurepip, venv
        except ImportError:
            print("has no venv")
PYTHON
}

# Set `python` to the interpreter to use.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        fault=$(fault_of "$PYTHON")
        [ -z "$fault" ] || stop "PYTHON=$PYTHON $fault." "Name a CPython $OLDEST_PYTHON or newer that has venv."
        python=$PYTHON
        return
    fi
    faults=
    without_venv=
    for python in $CANDIDATES; do
        fault=$(fault_of "$python")
        case $fault in
            "") return ;;
            "is not there") ;;
            "has no venv") without_venv=${without_venv:-$python} ;;
            *) faults="$faults; $python $fault" ;;
        esac
    done
    [ -z "$without_venv" ] || stop "$without_venv has no venv." \
        "Debian, Ubuntu: apt-get install $without_venv-venv."
    stop "there is no Python $OLDEST_PYTHON or newer${faults}." \
        "Debian, Ubuntu: apt-get install python3 python3-venv. Fedora: dnf install python3." \
        "One that is not on the PATH: make demo PYTHON=/path/to/python3"
}

# Stamps say what the environment was made from.
fingerprint() {
    cat "$@" | cksum
}

stamp() {
    cat "$ENVIRONMENT/cercles-$1" 2>/dev/null || true
}

set_stamp() {
    printf '%s\n' "$2" >"$ENVIRONMENT/cercles-$1.new"
    mv "$ENVIRONMENT/cercles-$1.new" "$ENVIRONMENT/cercles-$1"
}

wanted() {
    case $1 in
        runtime) fingerprint requirements.lock ;;
        dev) fingerprint requirements.lock requirements-dev.lock ;;
        project) fingerprint pyproject.toml ;;
    esac
}

# True unless the environment is unfinished, moved, of another Python, or of other locks than now.
environment_is_usable() {
    [ "$(stamp place)" = "$PWD" ] || return 1
    [ -z "${PYTHON:-}" ] || [ "$PYTHON" = "$(stamp python)" ] || return 1
    for each in runtime "$kind"; do
        found=$(stamp "$each")
        [ -z "$found" ] || [ "$found" = "$(wanted "$each")" ] || return 1
    done
    "$ENVIRONMENT/bin/python" -c 'import pip' 2>/dev/null
}

make_environment() {
    check_machine
    choose_python
    say "making the environment in $PWD/$ENVIRONMENT with $("$python" --version)"
    rm -rf "$ENVIRONMENT"
    "$python" -m venv "$ENVIRONMENT" || stop "$python could not make a virtual environment in $PWD/$ENVIRONMENT."
    set_stamp python "$python"
    set_stamp place "$PWD"
}

pip_install() {
    PIP_USER=0 "$ENVIRONMENT/bin/python" -m pip --disable-pip-version-check --no-input install -q "$@" || stop \
        "pip could not install; its own words stand above." \
        "If it did not reach the package index: check the network, a proxy (HTTPS_PROXY) or a mirror (PIP_INDEX_URL)." \
        "Then run the same command again: what has been downloaded is kept."
}

# One at a time; two would spoil each other's environment.
if command -v flock >/dev/null 2>&1; then
    exec 9<pyproject.toml
    flock 9
fi

environment_is_usable || make_environment
if [ "$(stamp "$kind")" != "$(wanted "$kind")" ]; then
    say "installing what $lock names (the first time this downloads; later it comes from pip's cache)"
    pip_install --require-hashes -r "$lock"
    set_stamp runtime "$(wanted runtime)"
    [ "$kind" = runtime ] || set_stamp dev "$(wanted dev)"
fi
if [ "$(stamp project)" != "$(wanted project)" ]; then
    say "installing Cercles itself"
    pip_install --no-deps --no-build-isolation -e .
    set_stamp project "$(wanted project)"
fi
