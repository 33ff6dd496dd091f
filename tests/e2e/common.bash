# common.bash - what the end-to-end tests share.
#
# PTHFS names the binary (default: the release build). Every test runs in a directory of its own;
# at its end whatever is still mounted below it is taken away, and the log of a mount that a failed
# test leaves behind is printed. Reports of the sanitizers fail the test, also those of a daemon.
#
# shellcheck disable=SC2034,SC2154

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
DATA=$REPO/tests/data
PTHFS=${PTHFS:-$REPO/build/release/pthfs}
if [ ! -x "$PTHFS" ]; then
    echo "no program at $PTHFS: run make first" >&2
    exit 1
fi
PTHFS=$(realpath "$PTHFS")
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    export ASAN_OPTIONS=log_path=$BATS_TEST_TMPDIR/sanitizer:$ASAN_OPTIONS
    export UBSAN_OPTIONS=print_stacktrace=1:$UBSAN_OPTIONS
    if declare -F prepare >/dev/null; then prepare; fi
}

teardown() {
    local point left rc=0
    cd /
    while read -r point; do
        point=$(printf '%b' "$point")
        [ -z "$BATS_TEST_COMPLETED" ] && echo "# log of $point:" && cat "$point/.pthfs/log"
        "$PTHFS" umount "$point" >/dev/null 2>&1 || umount "$point" 2>/dev/null ||
             umount -l "$point" 2>/dev/null || fusermount3 -uz "$point"
    done < <(mounts_below "$BATS_TEST_TMPDIR")
    for left in "$BATS_TEST_TMPDIR"/sanitizer.*; do
        [ -e "$left" ] || continue
        wait_until sanitizer_done "$left"
        head -n 40 "$left"
        rc=1
    done
    return $rc
}

sanitizer_done() {
    tail -n 3 "$1" | grep -q -e ABORTING -e SUMMARY
}

# Mount points of ours below a directory, the innermost first.
mounts_below() {
    awk -v dir="$1/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | tac
}

# Skips visibly; in CI what is needed has to be there.
need() {
    [ "${CI:-}" = true ] && echo "needed in CI: $*" && return 1
    skip "$*"
}

require_cmd() {
    local cmd
    for cmd in "$@"; do
        command -v "$cmd" >/dev/null || need "no $cmd"
    done
}

require_fuse() {
    if [ ! -r /dev/fuse ] || [ ! -w /dev/fuse ]; then need "no usable /dev/fuse"; fi
    [ "$(id -u)" -eq 0 ] || command -v fusermount3 >/dev/null || need "no fusermount3"
}

require_root() {
    [ "$(id -u)" -eq 0 ] || need "not root"
}

# PTHFS_PYTHON, or whatever python3 has the module.
require_python() {
    local python module=$1
    for python in "${PTHFS_PYTHON:-}" python3 /usr/bin/python3 "${PTHFS_TORCH_PYTHON:-}"; do
        [ -n "$python" ] && "$python" -c "import $module" 2>/dev/null && PYTHON=$python && return
    done
    need "no python with $module"
}

# mount_ckpt FILE MNT [OPTION...]: mounts, silently, FILE of tests/data or a path with a slash.
mount_ckpt() {
    local file=$1 mnt=$2
    shift 2
    [[ $file == */* ]] || file=$DATA/$file
    "$PTHFS" -q "$@" "$file" "$mnt"
}

is_mounted() {
    awk -v point="$(realpath -m "$1")" '$5 == point { found = 1 } END { exit !found }' \
        /proc/self/mountinfo
}

not_mounted() {
    if is_mounted "$1"; then return 1; fi
}

# The process that serves a mount of this test, known by its words and its environment.
daemon_of() {
    local pid
    for pid in $(pgrep -x pthfs); do
        tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF -e "$1" || continue
        grep -qzxF "BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR" "/proc/$pid/environ" || continue
        echo "$pid" && return
    done
    return 1
}

# Has it ended? That init has yet to collect it does not matter.
ended() {
    [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

# wait_until CMD...: at most 10 s.
wait_until() {
    local i
    for ((i = 0; i < 200; i++)); do
        "$@" && return 0
        sleep 0.05
    done
    echo "never came true: $*"
    return 1
}

# fails CODE TEXT CMD...: it ends with CODE and one line on standard error that has TEXT.
fails() {
    local code=$1 text=$2
    shift 2
    run --separate-stderr "$@"
    if [ "$status" -ne "$code" ]; then
        echo "exit $status, not $code: $stderr" && return 1
    fi
    if [[ $stderr != *"$text"* ]]; then
        echo "'$text' is not in: $stderr" && return 1
    fi
    [ "$(wc -l <<<"$stderr")" -eq 1 ] || { echo "more than one line: $stderr" && return 1; }
}
