#!/usr/bin/env bats
# The gate: what is edited is judged before it is committed. Real mounts, real tools, what is said
# where, and what the checkpoint holds then.
#
# shellcheck disable=SC2016,SC2086
load common
load judge

prepare() {
    cp "$DATA/demo.pth" .
    BIAS=model/module.conv1.bias   # float32 [16]
    CONV=model/module.conv2.weight # float32 [32, 16, 3, 3]
}

gate() {
    require_fuse
    mount_ckpt ./demo.pth mnt -o "rw${1:+,$1}"
}

# nan PATH [ELEMENT]: float32.
nan() {
    printf '\x00\x00\xc0\x7f' | dd of="mnt/$1" bs=4 seek="${2:-0}" conv=notrunc status=none
}

# npy FILE EXPRESSION: what numpy makes of it.
npy() {
    require_python numpy
    "$PYTHON" -c "import numpy as np; np.save('$1', $2)"
}

json() {
    require_python json
    "$PYTHON" -c "import json, sys; d = json.load(sys.stdin); sys.exit(not ($1))"
}

held() {
    "$PTHFS" cat --text demo.pth "$1"
}

# --- warn ----------------------------------------------------------------------------------------

@test "by default a NaN is committed, and told by the command, the status, the log and .pthfs/commit" {
    gate
    nan "$BIAS"
    run --separate-stderr "$PTHFS" commit mnt
    [ "$status" -eq 0 ]
    [[ $output == "committed 1 edit"* ]]
    [[ $stderr == *"suspicious: $BIAS: 1 NaN (was 0)" ]]
    held "$BIAS" | grep -qx nan
    "$PTHFS" status mnt | grep -x "suspicious: $BIAS: 1 NaN (was 0)"
    grep "suspicious: $BIAS: 1 NaN (was 0)" mnt/.pthfs/log
    grep "suspicious: $BIAS: 1 NaN (was 0)" mnt/.pthfs/commit
    "$PTHFS" status --json mnt | json 'd["state"] == "clean" and d["suspects"][0]["name"] == "'"$BIAS"'"'
}

@test "umount tells it too, and exits 0" {
    gate
    nan "$BIAS"
    run --separate-stderr "$PTHFS" umount mnt
    [ "$status" -eq 0 ]
    [[ $stderr == *"suspicious: $BIAS: 1 NaN (was 0)" ]]
    not_mounted mnt
}

@test "what numpy writes through the mount is judged" {
    gate
    npy mnt/$BIAS.npy 'np.where(np.arange(16) < 3, np.inf, 0.5).astype("f4")'
    run --separate-stderr "$PTHFS" umount mnt
    [ "$status" -eq 0 ]
    [[ $stderr == *"suspicious: $BIAS: 3 Inf (was 0)"* ]]
}

@test "an edit that is as good as the old content is not told, nor is what was not touched" {
    gate
    nan "$BIAS"
    "$PTHFS" commit mnt 2>err
    npy mnt/$CONV.npy '(np.load("mnt/'$CONV.npy'") * 2)'
    mv mnt/$BIAS mnt/model/renamed
    echo 13 >mnt/epoch
    run --separate-stderr "$PTHFS" umount mnt
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
}

@test "all zeros and a range that grew a thousandfold are seen, and counters may grow" {
    gate
    head -c 64 /dev/zero >mnt/$BIAS
    npy mnt/$CONV.npy '(np.load("mnt/'$CONV.npy'") * 1001).astype("f4")'
    npy mnt/model/module.bn1.num_batches_tracked.npy 'np.array(10 ** 12)'
    "$PTHFS" umount mnt 2>err
    grep "suspicious: $BIAS: all zeros (0 of 16 were)" err
    grep "suspicious: $CONV: largest modulus 85.2" err
    [ "$(wc -l <err)" -eq 2 ]
}

@test "a thousandfold itself is not" {
    gate
    npy mnt/$CONV.npy '(np.load("mnt/'$CONV.npy'") * 999).astype("f4")'
    "$PTHFS" umount mnt 2>err
    [ ! -s err ]
}

@test "a tied tensor is told once, by its first name" {
    gate
    nan model/module.fc.weight 7
    "$PTHFS" umount mnt 2>err
    [ "$(cat err)" = "pthfs: $PWD/mnt: suspicious: model/module.embed.weight: 1 NaN (was 0)" ]
}

@test "of views those are told that look at the written bytes" {
    require_fuse
    cp "$DATA/good-views.pt" v.pt
    mount_ckpt ./v.pt mnt -o rw
    nan row1
    "$PTHFS" umount mnt 2>err
    for name in base row1 rows12 transposed flat; do
        grep -q "suspicious: $name: 1 NaN (was 0)" err
    done
    run ! grep -E 'every2nd|embed|scalar:|same|alias' err
}

@test "float32 that was too large for the float16 it becomes is told as Inf" {
    gate
    npy mnt/$BIAS.npy 'np.linspace(0, 65000, 16, dtype="f4")'
    "$PTHFS" umount mnt 2>err
    gate
    npy half.npy 'np.load("mnt/'$BIAS.npy'").astype("f4") * 1.5'
    "$PYTHON" -W ignore -c 'import numpy as np; np.save("mnt/'$BIAS.npy'", np.load("half.npy").astype("f2"))'
    "$PTHFS" umount mnt 2>err
    grep -E "suspicious: $BIAS: [0-9]+ Inf \(was 0\)$" err
    "$PTHFS" ls -l demo.pth "$BIAS" | grep float16
}

@test "bfloat16 NaN, and what float16 cannot hold, are told after a change of type" {
    require_fuse
    cp "$DATA/good-dtypes.pt" d.pt
    mount_ckpt ./d.pt mnt -o rw
    printf '\x80\x7f' | dd of=mnt/bfloat16 bs=1 conv=notrunc status=none
    npy mnt/float16.npy 'np.array([[7e4, 1, 1], [1, 1, 1]], "f4")'
    "$PTHFS" umount mnt 2>err
    grep 'suspicious: bfloat16: 1 Inf (was 0)' err
    grep 'suspicious: float16: largest modulus 70000 (was' err
}

@test "another number of elements is told, and a new tensor only for its NaN and Inf" {
    gate
    npy mnt/$BIAS.npy 'np.full(17, 0.1, "f4")'
    npy mnt/model/zeros.npy 'np.zeros(3, "f4")'
    npy mnt/model/nan.npy 'np.full(3, np.nan, "f4")'
    "$PTHFS" umount mnt 2>err
    grep "suspicious: $BIAS: 17 elements (was 16)" err
    grep 'suspicious: model/nan: 3 NaN$' err
    [ "$(wc -l <err)" -eq 2 ]
}

@test "off looks at nothing" {
    gate validate=off
    nan "$BIAS"
    run --separate-stderr "$PTHFS" umount mnt
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    held "$BIAS" | grep -qx nan
}

# --- strict --------------------------------------------------------------------------------------

@test "strict refuses: exit 1, the file is the old one, the status has key, what and both numbers" {
    gate validate=strict
    nan "$BIAS"
    fails 1 "$BIAS: 1 NaN (was 0)" "$PTHFS" commit mnt
    [[ $stderr == *"pthfs commit --force"* ]]
    cmp demo.pth "$DATA/demo.pth"
    run "$PTHFS" status mnt
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == "dirty: 1 edit"* ]]
    grep -x "suspicious: $BIAS: 1 NaN (was 0)" <<<"$output"
    "$PTHFS" status --json mnt | json '[(s["key"], s["what"], s["was"]["nan"], s["now"]["nan"], s["now"]["count"])
        for s in d["suspects"]] == [("module.conv1.bias", ["nan"], 0, 1, 16)]'
    "$PTHFS" umount --discard mnt
}

@test "pthfs umount leaves a mount that strict refuses, with its edits" {
    gate validate=strict
    nan "$BIAS"
    run --separate-stderr "$PTHFS" umount mnt
    [ "$status" -eq 2 ]
    [[ $stderr == *"$BIAS: 1 NaN (was 0)"*"the mount is still there"* ]]
    is_mounted mnt
    "$PTHFS" umount --discard mnt
    cmp demo.pth "$DATA/demo.pth"
}

@test "several suspects are told, a line each" {
    gate validate=strict
    nan "$BIAS"
    nan "$CONV" 100
    run --separate-stderr "$PTHFS" commit mnt
    [ "$status" -eq 1 ]
    [[ $stderr == *"and 1 more tensor"* ]]
    grep "suspicious: $CONV: 1 NaN" <<<"$stderr"
    "$PTHFS" umount --discard mnt
}

@test "commit --force writes it once" {
    gate validate=strict
    nan "$BIAS"
    fails 1 "1 NaN" "$PTHFS" commit mnt
    run --separate-stderr "$PTHFS" commit --force mnt
    [ "$status" -eq 0 ]
    [[ $stderr == *"suspicious: $BIAS: 1 NaN (was 0)" ]]
    held "$BIAS" | grep -qx nan
    nan "$CONV"
    fails 1 "$CONV: 1 NaN" "$PTHFS" commit mnt
    "$PTHFS" umount --discard mnt
}

@test "what is put right, removed or reverted is committed, and no suspect any more" {
    gate validate=strict
    cp mnt/$BIAS old
    nan "$BIAS"
    fails 1 "1 NaN" "$PTHFS" commit mnt
    cp old mnt/$BIAS
    run "$PTHFS" status mnt
    [[ $output != *"suspicious:"* ]]
    "$PTHFS" commit mnt
    nan "$BIAS"
    fails 1 "1 NaN" "$PTHFS" commit mnt
    "$PTHFS" revert mnt
    "$PTHFS" status --json mnt | json 'd["suspects"] == [] and d["state"] == "clean"'
    nan "$BIAS"
    fails 1 "1 NaN" "$PTHFS" commit mnt
    rm mnt/$BIAS
    "$PTHFS" umount mnt
    run ! held "$BIAS"
}

@test "after fusermount -u the journal stays, says why, and commits only when it is forced" {
    require_cmd fusermount3
    gate validate=strict
    nan "$BIAS"
    fusermount3 -u mnt
    wait_until test -e demo.pth.pthfs-journal
    wait_until sh -c '"$0" status demo.pth | grep -q "the last commit failed"' "$PTHFS"
    cmp demo.pth "$DATA/demo.pth"
    run "$PTHFS" status demo.pth
    [ "$status" -eq 1 ]
    grep -x "suspicious: $BIAS: 1 NaN (was 0)" <<<"$output"
    "$PTHFS" status --json demo.pth | json 'd["suspects"][0]["key"] == "module.conv1.bias" and d["suspects"][0]["now"]["nan"] == 1'
    run --separate-stderr "$PTHFS" commit demo.pth
    [ "$status" -eq 1 ]
    [[ $stderr == *"$BIAS: 1 NaN (was 0)"* ]]
    "$PTHFS" commit --force demo.pth
    held "$BIAS" | grep -qx nan
    [ ! -e demo.pth.pthfs-journal ]
}

@test "SIGTERM in the foreground: the log says what was refused, and the journal stays" {
    require_fuse
    "$PTHFS" -f -o rw,validate=strict ./demo.pth mnt 2>err &
    wait_until is_mounted mnt
    nan "$BIAS"
    kill -TERM $!
    wait $! && return 1
    grep "suspicious: $BIAS: 1 NaN (was 0)" err
    grep 'the edits stay in its journal' err
    cmp demo.pth "$DATA/demo.pth"
    "$PTHFS" revert demo.pth
}

@test "a commit of a journal can be strict, and a dry run says what it would" {
    require_fuse
    gate
    nan "$BIAS"
    sync "mnt/$BIAS"
    kill -KILL "$(daemon_of mnt)"
    wait_until sh -c 'umount mnt 2>/dev/null || fusermount3 -u mnt'
    run --separate-stderr "$PTHFS" commit -o validate=strict demo.pth
    [ "$status" -eq 1 ]
    [[ $stderr == *"$BIAS: 1 NaN (was 0)"* ]]
    run --separate-stderr "$PTHFS" commit --dry-run --force demo.pth
    [ "$status" -eq 0 ]
    [[ $stderr == *"suspicious: $BIAS: 1 NaN (was 0)"* ]]
    cmp demo.pth "$DATA/demo.pth"
}

@test "a dry run of a mount is judged" {
    gate validate=strict
    nan "$BIAS"
    fails 1 "1 NaN" "$PTHFS" commit --dry-run mnt
    "$PTHFS" umount --discard mnt
}

# --- without a mount -----------------------------------------------------------------------------

@test "set --npy: warn writes and tells, strict exits 1 and changes nothing" {
    npy zeros.npy 'np.zeros(16, "f4")'
    fails 1 "$BIAS: all zeros (0 of 16 were)" \
        "$PTHFS" set -o validate=strict demo.pth "$BIAS" --npy zeros.npy
    cmp demo.pth "$DATA/demo.pth"
    [ ! -e demo.pth.pthfs-journal ]
    fails 1 "all zeros" "$PTHFS" set -o validate=strict --output new.pth demo.pth "$BIAS" --npy zeros.npy
    [ ! -e new.pth ]
    run --separate-stderr "$PTHFS" set demo.pth "$BIAS" --npy zeros.npy
    [ "$status" -eq 0 ]
    [ "$stderr" = "pthfs: demo.pth: suspicious: $BIAS: all zeros (0 of 16 were)" ]
    "$PTHFS" set -o validate=strict demo.pth "$BIAS" --npy zeros.npy # it was all zeros now
    "$PTHFS" set -o validate=strict demo.pth epoch 99
}

@test "set -o validate=off says nothing" {
    npy nan.npy 'np.full(16, np.nan, "f4")'
    run --separate-stderr "$PTHFS" set -o validate=off demo.pth "$BIAS" --npy nan.npy
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
}

# --- options -------------------------------------------------------------------------------------

@test "a card that is not there is an error before anything is mounted" {
    require_fuse
    fails 2 '-o device=cuda:254: ' "$PTHFS" -o rw,device=cuda:254 ./demo.pth mnt
    not_mounted mnt
    [ ! -e mnt ]
    [ ! -e demo.pth.pthfs-journal ]
    npy x.npy 'np.full(16, 0.1, "f4")'
    fails 2 '-o device=cuda:254: ' "$PTHFS" set -o device=cuda:254 demo.pth "$BIAS" --npy x.npy
    cmp demo.pth "$DATA/demo.pth"
}

# The driver that plays a card (tests/standin). Its calls are counted for each process.
standin() {
    local lib
    lib=$(dirname "$PTHFS")/standin
    [ -e "$lib/libcuda.so.1" ] || skip "no stand-in for a driver: make ${lib#"$REPO"/}/libcuda.so.1"
    export LD_LIBRARY_PATH=$lib
    "$PTHFS" -q -o rw,device=cuda ./demo.pth mnt 2>err || skip "no kernels: $(cat err)"
    "$PTHFS" umount mnt
}

@test "a card judges as the processors do" {
    require_fuse
    standin
    gate device=cuda:0
    nan "$BIAS"
    npy mnt/$CONV.npy '(np.load("mnt/'$CONV.npy'") * 1001).astype("f4")'
    run --separate-stderr "$PTHFS" commit mnt
    [ "$status" -eq 0 ]
    grep "suspicious: $BIAS: 1 NaN (was 0)" <<<"$stderr"
    grep "suspicious: $CONV: largest modulus 85.2" <<<"$stderr"
}

@test "a card that fails while it judges: the commit fails, and the edits stay" {
    require_fuse
    standin
    local n failed=0
    for n in 44 48 52 56 60; do
        STANDIN_FAIL_AT=$n mount_ckpt ./demo.pth mnt -o rw,device=cuda || continue
        nan "$BIAS" $((n % 16))
        if ! "$PTHFS" commit mnt 2>err; then
            failed=$((failed + 1))
            grep -q 'device=cuda: .*CUDA_ERROR' err
            "$PTHFS" status mnt | grep -q '^dirty: 1 edit'
        fi
        "$PTHFS" umount --discard mnt
    done
    [ "$failed" -gt 0 ]
}

@test "auto starts no driver for little, and goes on with the processors when a card fails" {
    require_fuse
    require_torch
    standin
    STANDIN_FAIL_AT=1 mount_ckpt ./demo.pth mnt -o rw,device=auto
    nan "$BIAS"
    "$PTHFS" umount mnt 2>err
    run ! grep CUDA_ERROR err
    "$TORCH" -c 'import torch; torch.save({"w": torch.ones(64 << 20)}, "big.pth")'
    STANDIN_FAIL_AT=100 mount_ckpt ./big.pth mnt -o rw,device=auto
    nan w
    run --separate-stderr "$PTHFS" commit mnt
    [ "$status" -eq 0 ]
    grep "suspicious: w: 1 NaN (was 0)" <<<"$stderr"
    grep 'the CPU goes on' mnt/.pthfs/log
}

@test "with auto and without a card it is the processors, and the log says nothing but what it found" {
    gate device=auto
    npy mnt/$BIAS.npy 'np.full(16, 0.1, "f4")'
    "$PTHFS" commit mnt
    [ ! -s mnt/.pthfs/log ]
}

@test "a wrong value is refused by name" {
    fails 1 "mount option validate='loud': that is not off, warn or strict" \
        "$PTHFS" -o rw,validate=loud ./demo.pth mnt
    fails 1 "mount option device='gpu': that is not cpu, cuda, cuda:N or auto" \
        "$PTHFS" -o rw,device=gpu ./demo.pth mnt
    fails 2 "that is not off, warn or strict" "$PTHFS" commit -o validate=1 demo.pth
}

@test "in fstab: edit,validate=strict,device=cpu" {
    require_fuse
    ln -s "$PTHFS" mount.fuse.pthfs
    mkdir mnt
    ./mount.fuse.pthfs ./demo.pth mnt -o rw,edit,validate=strict,device=cpu,nofail,nosuid,nodev
    nan "$BIAS"
    fails 1 "1 NaN" "$PTHFS" commit mnt
    "$PTHFS" umount --discard mnt
}
