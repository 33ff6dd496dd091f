#!/usr/bin/env bats
# The commands on a read-write mount: status, commit, revert, umount; and the options of mounting so.
# shellcheck disable=SC2016
load common

prepare() {
    require_fuse
    cp "$DATA/demo.pth" c.pth
}

journal() {
    find . -name '*.pthfs-journal'
}

@test "a mount with -o rw says so, and -o edit is the same" {
    run --separate-stderr "$PTHFS" -o rw c.pth mnt
    [ "$status" -eq 0 ]
    [[ $output == "mnt: "*read-write* ]]
    [ -z "$stderr" ]
    grep -E "^$PWD/c.pth $PWD/mnt fuse.pthfs rw," /proc/mounts
    "$PTHFS" umount mnt
    "$PTHFS" -q -o edit c.pth mnt
    grep -E "^$PWD/c.pth $PWD/mnt fuse.pthfs rw," /proc/mounts
}

@test "mount(8) says rw by itself, edit is what means it there" {
    require_root
    ln -s "$PTHFS" mount.fuse.pthfs
    mkdir a b
    ./mount.fuse.pthfs "$PWD/c.pth" "$PWD/a" -o rw
    grep " $PWD/a fuse.pthfs ro," /proc/mounts
    ./mount.fuse.pthfs "$PWD/c.pth" "$PWD/b" -o rw,edit
    grep " $PWD/b fuse.pthfs rw," /proc/mounts
}

@test "a checkpoint is mounted read-write once, and says so" {
    "$PTHFS" -q -o rw c.pth a
    fails 32 "c.pth" "$PTHFS" -o rw c.pth b
    "$PTHFS" -q c.pth b
    [ "$(cat b/epoch)" = 12 ]
}

@test "a mount point that would hide the checkpoint and its journal is refused" {
    mkdir dir
    cp c.pth dir/
    fails 32 "lies below the mount point" "$PTHFS" -o rw,nonempty dir/c.pth dir
    [ "$(ls -A dir)" = c.pth ]
}

@test "status of a mount is clean, then dirty with a list, then clean again" {
    require_cmd jq
    "$PTHFS" -q -o rw c.pth mnt
    run "$PTHFS" status mnt
    [ "$status" -eq 0 ]
    [[ $output == clean* ]]
    echo 13 >mnt/epoch
    mv mnt/arch mnt/architecture
    run "$PTHFS" status mnt
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == "dirty: 2 edits"* ]]
    [[ $output == *arch*architecture* ]]
    run "$PTHFS" status --json mnt
    [ "$status" -eq 1 ]
    [ "$(jq -r .state <<<"$output")" = dirty ]
    "$PTHFS" commit mnt
    "$PTHFS" status mnt
}

@test "status of a checkpoint asks the mount that edits it, and says where that is" {
    "$PTHFS" -q -o rw c.pth mnt
    echo 13 >mnt/epoch
    run "$PTHFS" status c.pth
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == "dirty: 1 edit"* ]]
    [[ ${lines[-1]} == "mounted read-write at $PWD/mnt by "*" (process $(daemon_of c.pth))" ]]
}

@test "status of a checkpoint lists its read-only mounts" {
    require_cmd jq
    "$PTHFS" -q c.pth a
    "$PTHFS" -q c.pth b
    run "$PTHFS" status c.pth
    [ "$status" -eq 0 ]
    [ "$(grep -c "^mounted read-only at $PWD/[ab] by " <<<"$output")" -eq 2 ]
    [ "$("$PTHFS" status --json c.pth | jq -r '.mounts[1].mountpoint')" = "$PWD/b" ]
}

@test "commit writes the edits and leaves the mount" {
    "$PTHFS" -q -o rw c.pth mnt
    echo 13 >mnt/epoch
    run --separate-stderr "$PTHFS" commit mnt
    [ "$status" -eq 0 ]
    [[ $output == *"1 edit"* ]]
    [ -z "$stderr" ]
    [ "$("$PTHFS" cat c.pth epoch)" = 13 ]
    [ "$(cat mnt/epoch)" = 13 ]
    echo 14 >mnt/epoch
    "$PTHFS" commit c.pth
    [ "$("$PTHFS" cat c.pth epoch)" = 14 ]
    run "$PTHFS" commit mnt
    [ "$status" -eq 0 ]
    [[ $output == *"nothing to commit"* ]]
}

@test "commit --dry-run writes nothing" {
    "$PTHFS" -q -o rw c.pth mnt
    echo 13 >mnt/epoch
    run "$PTHFS" commit --dry-run mnt
    [ "$status" -eq 0 ]
    [[ $output == *"1 edit"* ]]
    cmp c.pth "$DATA/demo.pth"
    [ "$(cat mnt/epoch)" = 13 ]
}

@test "revert drops the edits, and says how many" {
    "$PTHFS" -q -o rw c.pth mnt
    echo 13 >mnt/epoch
    rm mnt/arch
    run "$PTHFS" revert mnt
    [ "$status" -eq 0 ]
    [[ $output == *"2 edits"* ]]
    [ "$(cat mnt/epoch)" = 12 ]
    [ -e mnt/arch ]
    "$PTHFS" status mnt
    cmp c.pth "$DATA/demo.pth"
}

@test "a read-only mount has nothing to commit" {
    "$PTHFS" -q c.pth mnt
    fails 2 "read-only" "$PTHFS" commit mnt
    fails 2 "read-only" "$PTHFS" revert mnt
    "$PTHFS" status mnt
}

@test "umount commits, and leaves neither mount nor journal" {
    "$PTHFS" -q -o rw c.pth mnt
    echo 13 >mnt/epoch
    "$PTHFS" umount mnt
    not_mounted mnt
    [ "$("$PTHFS" cat c.pth epoch)" = 13 ]
    [ -z "$(journal)" ]
}

@test "umount of a mount without edits says nothing and changes nothing" {
    "$PTHFS" -q -o rw c.pth mnt
    [ "$(cat mnt/epoch)" = 12 ]
    [ -z "$("$PTHFS" umount mnt 2>&1)" ]
    cmp c.pth "$DATA/demo.pth"
    [ -z "$(journal)" ]
}

@test "umount --discard drops the edits" {
    "$PTHFS" -q -o rw c.pth mnt
    echo 13 >mnt/epoch
    "$PTHFS" umount --discard mnt
    not_mounted mnt
    cmp c.pth "$DATA/demo.pth"
    [ -z "$(journal)" ]
}

@test "a busy mount is not committed by umount, and stays" {
    "$PTHFS" -q -o rw c.pth mnt
    echo 13 >mnt/epoch
    sleep 30 9<mnt/arch 3>&- &
    holder=$!
    run "$PTHFS" umount mnt
    kill "$holder"
    [ "$status" -eq 1 ]
    [[ $output == *"is busy and stays mounted"*sleep* ]]
    cmp c.pth "$DATA/demo.pth"
    is_mounted mnt
}

@test "umount --lazy commits when the last user is gone" {
    "$PTHFS" -q -o rw c.pth mnt
    echo 13 >mnt/epoch
    pid=$(daemon_of c.pth)
    sleep 30 9<mnt/arch 3>&- &
    holder=$!
    "$PTHFS" umount --lazy mnt
    cmp c.pth "$DATA/demo.pth"
    kill "$holder"
    wait_until ended "$pid"
    [ "$("$PTHFS" cat c.pth epoch)" = 13 ]
}

@test "what a program stored through mmap is in the commit" {
    require_python numpy
    "$PTHFS" -q -o rw c.pth mnt
    "$PYTHON" - <<'EOF' 3>&- &
import numpy, time
a = numpy.memmap("mnt/model/module.fc.bias", dtype="float32", mode="r+")
a[:] = 7
open("stored", "w")
time.sleep(30)
EOF
    holder=$!
    wait_until test -e stored
    "$PTHFS" commit mnt
    kill "$holder"
    [ "$("$PTHFS" cat --text c.pth model/module.fc.bias | sort -u)" = 7.0 ]
}

# Somebody else has replaced the checkpoint: it is not overwritten.
@test "when the commit fails umount says why, and the mount stays with its edits" {
    "$PTHFS" -q -o rw c.pth mnt
    echo 13 >mnt/epoch
    cp "$DATA/good-values.pt" other
    mv other c.pth
    run --separate-stderr "$PTHFS" umount mnt
    [ "$status" -eq 2 ]
    [[ $stderr == *"the mount is still there"* ]]
    is_mounted mnt
    [ "$(cat mnt/epoch)" = 13 ]
    cmp c.pth "$DATA/good-values.pt"
    "$PTHFS" umount --discard mnt
    not_mounted mnt
}

@test "a mount whose process was killed is unmounted, and umount says that edits are left" {
    "$PTHFS" -q -o rw c.pth mnt
    echo 13 >mnt/epoch
    sync mnt/epoch
    pid=$(daemon_of c.pth)
    kill -9 "$pid"
    wait_until ended "$pid"
    run --separate-stderr "$PTHFS" umount mnt
    [ "$status" -eq 2 ]
    [[ $stderr == *"left in its journal"* ]]
    not_mounted mnt
    run --separate-stderr "$PTHFS" -o rw c.pth mnt
    [ "$status" -eq 0 ]
    [[ $stderr == "pthfs: "*"1 edit"* ]]
    [ "$(cat mnt/epoch)" = 13 ]
}

# FUSE answers nobody but the user of the mount, not even root.
@test "root asks, commits and unmounts what another user has mounted" {
    require_root
    require_cmd unshare setpriv fusermount3
    base=$(mktemp -d)
    cp "$PTHFS" "$DATA/demo.pth" "$base"
    chown 65534:65534 "$base" "$base/demo.pth"
    run unshare -m sh -c '
        cd "$0" && mknod -m 666 fuse c 10 229 && mount --bind fuse /dev/fuse || exit 99
        user() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
        user ./pthfs -q -o rw demo.pth mnt && user sh -c "echo 13 >mnt/epoch" || exit 98
        cat mnt/epoch && exit 97
        ./pthfs status mnt
        echo "$?"
        ./pthfs commit mnt && ./pthfs cat demo.pth epoch && ./pthfs umount mnt && ls -A' "$base"
    rm -rf "$base"
    [ "$status" -ne 99 ] || need "no device nodes in $base"
    [ "$status" -eq 0 ]
    [[ ${lines[1]} == "dirty: 1 edit"* ]]
    [[ $output == *$'\n1\n'*"1 edit"*$'\n13\n'* ]]
    [[ $output != *mnt ]]
}
