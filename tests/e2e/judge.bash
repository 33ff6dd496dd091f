# judge.bash - real torch, for the end-to-end tests of editing: tests/oracle/judge.py.
#
# shellcheck disable=SC2034,SC2154

JUDGE=$REPO/tests/oracle/judge.py

has_torch() {
    [ -n "$1" ] && "$1" -c 'import importlib.util as u; exit(not all(map(u.find_spec, ("torch", "numpy"))))' 2>/dev/null
}

require_torch() {
    local python
    export PTHFS_JUDGE_DIR=$BATS_RUN_TMPDIR
    for python in "${PTHFS_TORCH_PYTHON:-}" python3 /usr/bin/python3; do
        has_torch "$python" && TORCH=$python && break
    done
    [ -n "${TORCH:-}" ] || need "no torch"
    OLD_TORCH=${PTHFS_TORCH113_PYTHON:-/usr/bin/python3}
    if [ "$OLD_TORCH" = "$TORCH" ] || ! has_torch "$OLD_TORCH"; then OLD_TORCH=; fi
}

# sample NAME [FILE]: a checkpoint of tests/oracle/samples.py, and what it was in $ORIGINAL.
sample() {
    [ -n "${TORCH:-}" ] || require_torch
    ORIGINAL=$BATS_FILE_TMPDIR/$1.pth
    [ -e "$ORIGINAL" ] || "$TORCH" "$JUDGE" make "$1" "$ORIGINAL"
    cp "$ORIGINAL" "${2:-c.pth}"
}

# edit NAME [OPTION...]: a sample, mounted to be edited. EDIT_OPTIONS: by hand, for all of a file.
edit() {
    require_fuse
    sample "$1"
    shift
    mount_ckpt ./c.pth mnt -o "rw${EDIT_OPTIONS:+,$EDIT_OPTIONS}" "$@"
}

# After the unmount only these paths of the checkpoint are another thing than before.
committed() {
    if is_mounted mnt; then "$PTHFS" umount mnt; fi
    judge differs c.pth "$ORIGINAL" "$@"
}

# The claims are true of the checkpoint; d is what it holds, o is what it held before.
holds() {
    if is_mounted mnt; then "$PTHFS" umount mnt; fi
    judge holds c.pth "$ORIGINAL" "$@"
}

judge() {
    "$TORCH" "$JUDGE" "$@"
    [ -z "$OLD_TORCH" ] || "$OLD_TORCH" "$JUDGE" "$@"
}
