#!/usr/bin/env bats
# Large inputs: a directory of 100,000 tensors, storages and files over 4 GiB.
load common

prepare() {
    require_fuse
    require_cmd python3
}

inputs() { # inputs PYTHON-CODE: with tests/bench/inputs.py, which needs no torch
    python3 -c "import sys; sys.path.insert(0, '$REPO/tests/bench'); import inputs; $1"
}

@test "a directory of 100,000 tensors: every name once, every name found, any of them read" {
    inputs "inputs.many('many.pth', 100000, 8)"
    mount_ckpt "$PWD/many.pth" mnt
    ls -U mnt >names
    [ "$(wc -l <names)" -eq 200000 ]
    [ "$(sort names | uniq -d | wc -l)" -eq 0 ]
    [ "$(find mnt -type f -name '*.meta' | wc -l)" -eq 100000 ]
    for name in "$(head -n 1 names)" "$(sed -n 100001p names)" "$(grep -v meta names | tail -n 1)"; do
        [ "$(stat -c %s "mnt/$name")" -eq 8 ]
        [ "$(od -An -tf4 "mnt/$name" | xargs)" = "0 0" ]
    done
}

@test "its daemon stays within 64 MiB, also after ls -l" {
    [[ $PTHFS != *san-* ]] || skip "a sanitizer has memory of its own"
    inputs "inputs.many('many.pth', 100000, 64)"
    mount_ckpt "$PWD/many.pth" mnt -o noxattr
    [ "$(ls -l mnt | wc -l)" -eq 200001 ]
    peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$(daemon_of mnt)/status")
    echo "peak $peak KiB"
    [ "$peak" -le 65536 ]
}

@test "a storage over 4 GiB in a sparse file over 5 GiB: its ends are where they should be" {
    require_cmd jq
    inputs "inputs._crc_of = lambda blocks, size: 0; inputs.many('big.pth', 2, 5 << 30)"
    off=$("$PTHFS" ls --json big.pth | jq '.entries[1].file_offset')
    name=$("$PTHFS" ls --json big.pth | jq -r '.entries[1].name')
    [ "$off" -gt $((5 << 30)) ]
    mark() { printf '%s' "$2" | dd of=big.pth bs=1 seek=$((off + $1)) conv=notrunc status=none; }
    mark 0 head
    mark $((4 << 30)) four
    mark $(((5 << 30) - 4)) tail
    mount_ckpt "$PWD/big.pth" mnt
    [ "$(stat -c %s "mnt/$name")" -eq $((5 << 30)) ]
    [ "$(head -c 4 "mnt/$name")" = head ]
    [ "$(dd "if=mnt/$name" bs=4 skip=$((1 << 30)) count=1 status=none)" = four ]
    [ "$(tail -c 4 "mnt/$name")" = tail ]
}
