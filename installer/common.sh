# Shared by installer/run and installer/test: system libraries, the virtual environment, the locked packages.
# Sourced with the project root as working directory.

LIBRARIES="libgl1 libegl1 libgl1-mesa-dri libglx-mesa0 libopengl0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4
libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xfixes0 libxcb-xkb1
libdbus-1-3 libfontconfig1 libglib2.0-0t64|libglib2.0-0 fonts-dejavu-core fonts-noto-cjk"

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$@"
    exit 1
}

# Print the first of the alternatives a|b|c that this distribution has.
known_package() {
    for name in $(printf '%s' "$1" | tr '|' ' '); do
        if apt-cache show "$name" >/dev/null 2>&1; then
            printf '%s' "$name"
            return
        fi
    done
    printf '%s' "${1##*|}"
}

is_installed() {
    for name in $(printf '%s' "$1" | tr '|' ' '); do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' && return 0
    done
    return 1
}

# Install the system packages named as arguments that are missing; needs apt, and sudo when not root.
need_packages() {
    if ! command -v apt-get >/dev/null 2>&1; then
        say "This system has no apt. cimdesk needs Python 3.11 to 3.13 with venv, OpenGL (Mesa or a driver), the xcb"
        say "libraries of Qt 6 and a CJK font; on Debian they are called:"
        say "  $(printf '%s ' "$@")"
        return
    fi
    missing=""
    for package in "$@"; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -eq 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1; then
        as_root="sudo"
    else
        die "Missing system packages; ask an administrator to run: apt-get install$missing"
    fi
    $as_root apt-get update -qq || say "The package lists could not be refreshed; trying with the present ones."
    names=""
    for package in $missing; do
        names="$names $(known_package "$package")"
    done
    say "Installing system packages:$names"
    # shellcheck disable=SC2086 # one word per package
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $names >&2 ||
        die "apt could not install:$names"
}

find_python() {
    for name in python3.13 python3.12 python3.11 python3; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            printf '%s' "$name"
            return
        fi
    done
}

# Make .venv with exactly the packages of a lock file; does nothing when that was done before.
need_venv() {
    lock=$1
    stamp=".venv/cimdesk-$(basename "$lock").sum"
    wanted=$(cat "$lock" pyproject.toml | cksum)
    if [ -x .venv/bin/cimdesk ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return 0
    fi
    python=$(find_python)
    if [ -z "$python" ]; then
        need_packages python3 python3-venv
        python=$(find_python)
    fi
    [ -n "$python" ] || die "cimdesk needs Python 3.11, 3.12 or 3.13; this system's python3 is $(python3 --version 2>&1)."
    if [ ! -x .venv/bin/python ]; then
        if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            need_packages "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')|python3-venv"
        fi
        "$python" -m venv .venv || die "The virtual environment .venv could not be made."
    fi
    say "Installing Python packages into .venv (the first time takes a few minutes) ..."
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" >&2 ||
        die "The Python packages of $lock could not be installed."
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2 ||
        die "cimdesk itself could not be installed into .venv."
    # Bytecode now, so that the first start is as quick as the second, also where Python may not write it later.
    .venv/bin/python -m compileall -q cimdesk || say "Python's bytecode could not be written; starting takes a little longer."
    printf '%s' "$wanted" >"$stamp"
}
