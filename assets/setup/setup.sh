#!/usr/bin/env bash
# What a build needs that cargo does not bring: Debian packages and libtorch.
#   setup.sh        for the program
#   setup.sh test   for its tests too
# Each step looks first and does nothing when there is nothing to do, so that `make run` starts at
# once and without a network the second time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf 'make setup: %s\n' "$*"; }
fail() { # step, why, what to do
    printf 'make setup: %s: %s\n  What to do: %s\n' "$1" "$2" "$3" >&2
    exit 1
}

check_machine() {
    local system
    system="$(uname -s) $(uname -m)"
    [[ $system == "Linux x86_64" ]] || fail machine \
        "this is $system; Steadymask's libtorch exists for 64-bit x86 Linux only." \
        "use a PC with Debian 12, Ubuntu 22.04 or later (WSL 2 counts)"
    command -v apt-get >/dev/null || fail machine \
        "no apt-get here; the set-up knows Debian and Ubuntu only." \
        "use a Debian 12 or Ubuntu container, or see assets/setup for what it would install"
    command -v python3 >/dev/null || fail machine "no python3 here; it unpacks libtorch." \
        "sudo apt-get install python3, then the same make again"
}

check_rust() {
    local wanted found
    command -v cargo >/dev/null || fail Rust "no cargo on the PATH." \
        "install Rust with rustup, open a new terminal, then the same make again"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d' ' -f2)
    printf '%s\n' "$wanted" "${found%%-*}" | sort -V -C || fail Rust \
        "Rust $found is here, $wanted or later is needed." \
        "rustup update stable (Debian's own rustc is too old), then the same make again"
}

# Package and what it is for; the first column is all that apt-get sees.
for_build="
g++                     links the program, compiles the glue to libtorch
clang                   its headers let Rust read those of OpenCV
pkg-config              finds libraries
libopencv-core-dev      pictures
libopencv-imgproc-dev   scaling, warping
libopencv-imgcodecs-dev image files
libopencv-videoio-dev   video files, through FFmpeg
libopencv-video-dev     optical flow
ffmpeg                  writes videos: sound, transparency, exact times
libgl1                  the window
libegl1                 the window
libxkbcommon-x11-0      the window's keyboard
libxcursor1             the window's mouse
libxi6                  the window's mouse
libxrandr2              the window's screens"
for_tests="
xvfb                    a screen for the window's tests
xauth                   a screen for the window's tests
xdotool                 the window's tests click and type"

# The name of the package with libclang itself: Debian has one for the default version, some
# Ubuntus only that of the version that clang depends on. Needs fresh package lists.
libclang_package() {
    local version
    if apt-cache policy libclang1 | grep 'Candidate: [^(]' >/dev/null; then
        echo libclang1
        return
    fi
    version=$(apt-cache depends clang | awk -F- '/Depends: clang-[0-9]+$/ { print $2 }')
    [[ -n $version ]] && echo "libclang1-$version"
}

install_packages() {
    local table=$for_build missing=() names=() as_root=() name update_failed=""
    [[ ${1-} != test ]] || table+=$for_tests
    mapfile -t names < <(awk 'NF { print $1 }' <<<"$table")
    # dpkg-query fails when it knows nothing of a name, which is an answer here.
    local installed
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${names[@]}" 2>/dev/null |
        sed -n 's/^installed //p') || true
    for name in "${names[@]}"; do
        grep -qxF -- "$name" <<<"$installed" || missing+=("$name")
    done
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || missing+=(libclang1)
    # Only libtorch's first fetch needs pip; a Python of the user's own may have it.
    [[ -f .deps/site/ready.json ]] || python3 -c 'import pip' 2>/dev/null ||
        /usr/bin/python3 -c 'import pip' 2>/dev/null || missing+=(python3-pip)
    ((${#missing[@]})) || return 0

    say "these Debian packages are missing and get installed, with what they depend on:"
    for name in "${missing[@]}"; do
        case $name in
        libclang1) printf '  %-24s%s\n' "$name" "lets Rust read the headers of OpenCV" ;;
        python3-pip) printf '  %-24s%s\n' "$name" "fetches libtorch" ;;
        *) grep -E "^${name//+/\\+} " <<<"$table" | sed 's/^/  /' ;;
        esac
    done
    if ((EUID)); then
        command -v sudo >/dev/null || fail packages "you are not root and there is no sudo." \
            "as root: apt-get install --no-install-recommends ${missing[*]}"
        say "sudo may ask for your password"
        as_root=(sudo)
    fi
    # No questions: CI has nobody to answer them. A fresh Ubuntu may hold the lock for a while.
    as_root+=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l)
    as_root+=(apt-get -o DPkg::Lock::Timeout=300)
    # A broken list of some other source need not stop us: the install below is the test.
    "${as_root[@]}" -q update || update_failed=" (and 'apt-get update' failed before it)"
    for name in "${!missing[@]}"; do
        [[ ${missing[name]} != libclang1 ]] || missing[name]=$(libclang_package) ||
            fail packages "apt-get knows no libclang$update_failed." \
                "sudo apt-get install libclang-dev, then the same make again"
    done
    "${as_root[@]}" -q -y --no-install-recommends install "${missing[@]}" || fail packages \
        "apt-get could not install them$update_failed; its message is above." \
        "check the network; on Ubuntu 'sudo add-apt-repository universe'; then the same make again"
}

check_machine
check_rust
install_packages "${1-}"
python3 assets/setup/libtorch.py
