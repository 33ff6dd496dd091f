#!/usr/bin/env bats
# pthfs diff: what differs, how it is said, and that `diff -r` of two mounts has the same opinion.
load common

prepare() {
    export PATH=$BATS_TEST_TMPDIR/bin:$PATH
    mkdir bin
    ln -s "$PTHFS" bin/pthfs
    cp "$DATA/demo.pth" a.pth
    cp a.pth b.pth
}

# The exit code is CODE, and TEXT is in the output.
says() {
    local code=$1 text=$2
    shift 2
    run "$@"
    if [ "$status" -ne "$code" ] || [[ $output != *"$text"* ]]; then
        echo "exit $status, not $code, or no '$text' in: $output" && return 1
    fi
}

@test "a checkpoint and its copy are the same, and nothing is said" {
    run "$PTHFS" diff a.pth b.pth
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "a changed value shows the old and the new one" {
    pthfs set b.pth epoch 4711
    says 1 "-> 4711" pthfs diff a.pth b.pth
    [[ ${lines[-1]} == "1 changed, 0 renamed, 0 added, 0 removed, "*" same" ]]
}

@test "keys that all follow one rule are one line, and --all lists each" {
    pthfs rename --strip module b.pth
    says 1 "renamed: model/module.* -> model/*" pthfs diff a.pth b.pth
    says 1 "was model/module.fc.weight" pthfs diff --all a.pth b.pth
}

@test "--strip-prefix makes the models of DataParallel and of one card the same" {
    pthfs rename --strip module b.pth
    run pthfs diff --strip-prefix module. a.pth b.pth
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    says 0 "" pthfs diff --strip-prefix module a.pth b.pth
}

@test "keys that were removed and added are told where they stood" {
    pthfs rm b.pth model/module.fc.bias
    says 1 "- model/module.fc.bias " pthfs diff a.pth b.pth
    says 1 "+ model/module.fc.bias " pthfs diff b.pth a.pth
}

@test "one element that differs has its index, and how far it is off" {
    require_python numpy
    pthfs cat --npy a.pth model/module.fc.weight >w.npy
    "$PYTHON" -c 'import numpy; w = numpy.load("w.npy"); w[5, 7] += 1; numpy.save("w.npy", w)'
    pthfs set b.pth --npy w.npy model/module.fc.weight
    says 1 "1 of 2048 differ, max 1, " pthfs diff a.pth b.pth
    [[ $output == *"first [5, 7]"* ]]
    says 0 "" pthfs diff --atol 1.5 a.pth b.pth
    says 1 "" pthfs diff --atol 0.5 a.pth b.pth
}

@test "-q says one line as diff does, --quiet says nothing" {
    pthfs set b.pth epoch 4711
    run pthfs diff -q a.pth b.pth
    [ "$status" -eq 1 ]
    [ "$output" = "Files a.pth and b.pth differ" ]
    run pthfs diff --quiet a.pth b.pth
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    pthfs diff -q a.pth a.pth
}

@test "a pattern restricts it, and one that nothing matches is an error" {
    pthfs set b.pth epoch 4711
    says 0 "" pthfs diff a.pth b.pth 'model/*'
    says 1 "epoch" pthfs diff a.pth b.pth epoch
    fails 2 "nothing is called" pthfs diff a.pth b.pth 'no/such*'
}

@test "--json is one document that has everything, also what is the same" {
    require_cmd jq
    pthfs set b.pth epoch 4711
    run pthfs diff --json a.pth b.pth
    [ "$status" -eq 1 ]
    [ "$(jq -r '.entries[] | select(.name == "epoch") | .status, .b.value' <<<"$output" | paste -sd ' ')" = "changed 4711" ]
    [ "$(jq '.total.changed' <<<"$output")" -eq 1 ]
    [ "$(jq '[.entries[] | select(.status == "same")] | length == 0' <<<"$output")" = false ]
}

@test "colours are there when they are asked for, and not in a pipe" {
    pthfs set b.pth epoch 4711
    says 1 $'\033[33m~ epoch' pthfs diff --color=always a.pth b.pth
    run pthfs diff a.pth b.pth
    [[ $output != *$'\033'* ]]
}

@test "on a terminal there are colours, unless NO_COLOR is set" {
    require_cmd script
    pthfs set b.pth epoch 4711
    TERM=xterm says 0 $'\033[33m~ epoch' script -qc "pthfs diff a.pth b.pth" /dev/null
    TERM=xterm NO_COLOR=1 run script -qc "pthfs diff a.pth b.pth" /dev/null
    [[ $output == *"~ epoch"* && $output != *$'\033[33m'* ]]
}

@test "wrong words are refused with exit code 2" {
    fails 2 "something is missing" pthfs diff a.pth
    fails 2 "not a number" pthfs diff --atol much a.pth b.pth
    fails 2 "not a number" pthfs diff --rtol -1 a.pth b.pth
    fails 2 "auto, always or never" pthfs diff --color=blue a.pth b.pth
    fails 2 "cannot open it" pthfs diff a.pth no-such-file.pth
    fails 2 "neither a checkpoint nor a mount point" pthfs diff a.pth .
}

@test "a tensor that cannot be read is exit code 2, and the others are compared" {
    says 2 "x: in " pthfs diff "$DATA/bad-tensor-offset-out.pt" "$DATA/bad-tensor-offset-out.pt"
    [[ $output == *"1 could not be read"* ]]
    says 2 "" pthfs diff -q "$DATA/bad-tensor-offset-out.pt" "$DATA/bad-tensor-offset-out.pt"
}

@test "a record with a wrong CRC is judged by its bytes, and with --trust-crc by its CRC" {
    require_python numpy
    "$PYTHON" "$BATS_TEST_DIRNAME/../lib/wrong_crc.py" b.pth
    says 0 "" pthfs diff a.pth b.pth
    says 0 "" pthfs diff -q a.pth b.pth
    says 1 "differ" pthfs diff -q --trust-crc a.pth b.pth
}

@test "hostile files end with an exit code, whatever they are compared with" {
    local f g
    for f in "$DATA"/bad-*.pt; do
        for g in "$f" "$DATA/good-views.pt" "$DATA/bad-name-slash.pt"; do
            run timeout 60 "$PTHFS" diff "$f" "$g"
            [ "$status" -le 2 ] || { echo "$f $g: $status: $output" && return 1; }
        done
    done
}

# --- beside real mounts ---------------------------------------------------------------------------

# verdict A B FILE-A FILE-B: both say the same, whatever it is.
verdict() {
    local want=0 got=0 brief=0
    diff -rq "m/$1" "m/$2" >diff.out 2>&1 || want=$?
    pthfs diff "$3" "$4" >pthfs.out 2>&1 || got=$?
    pthfs diff --quiet "$3" "$4" >/dev/null 2>&1 || brief=$?
    if [ "$want $want" != "$got $brief" ]; then
        echo "$3 $4: diff -r exits $want, pthfs $got, --quiet $brief"
        cat diff.out pthfs.out
        return 1
    fi
}

@test "diff -r of two mounts gives the same verdict, over pairs of every kind" {
    local f g pairs=0 differ=0
    require_fuse
    require_torch_pairs
    mkdir m
    for f in pairs/*.pt; do
        mount_ckpt "./$f" "m/$(basename "$f" .pt)"
    done
    for f in pairs/*.pt; do
        for g in base tied none grad shared; do
            verdict "$(basename "$f" .pt)" $g "$f" pairs/$g.pt
            pairs=$((pairs + 1))
            cmp -s "$f" pairs/$g.pt || differ=$((differ + 1))
        done
    done
    [ $pairs -ge 100 ]
    [ $differ -ge 100 ]
}

require_torch_pairs() {
    load judge
    require_torch
    mkdir pairs
    "$TORCH" "$BATS_TEST_DIRNAME/../oracle/diff_pairs.py" pairs
}

@test "diff -r gives the same verdict of the committed checkpoints" {
    local f g last=demo.pth
    require_fuse
    mkdir m
    for f in demo.pth good-views.pt good-checkpoint.ckpt good-legacy-checkpoint.pth.tar good-state-dict.pth \
        good-legacy-state-dict.pth good-sparse.pt good-quantized.pt good-conj-neg.pt good-113-checkpoint.pth; do
        mount_ckpt "$f" "m/$f"
        for g in "$f" "$last"; do
            verdict "$f" "$g" "$DATA/$f" "$DATA/$g"
        done
        last=$f
    done
}

@test "diff -r gives the same verdict of what cannot be read" {
    local f name
    require_fuse
    mkdir m
    for f in "$DATA"/bad-tensor-{offset-out,record-short,missing-record,shape-too-big}.pt "$DATA"/bad-zip-deflate-garbage.pt \
        "$DATA"/bad-zip-crc-wrong.pt "$DATA"/bad-name-slash.pt; do
        name=$(basename "$f" .pt)
        mount_ckpt "$f" "m/$name"
        mount_ckpt "$f" "m/again-$name"
        verdict "$name" "again-$name" "$f" "$f"
    done
}

@test "a mount point stands for what it shows, with the edits that are not committed" {
    require_fuse
    pthfs -q a.pth ro
    pthfs -q -o rw b.pth mnt
    says 0 "" pthfs diff ro mnt
    echo 4711 >mnt/epoch
    mv mnt/model/module.fc.bias mnt/model/module.fc.beta
    says 1 "-> 4711" pthfs diff ro mnt
    [[ $output == *"was model/module.fc.bias"* ]]
    says 0 "" pthfs diff a.pth b.pth
    fails 2 "lies in the mount" pthfs diff a.pth mnt/model
    pthfs umount mnt
    says 1 "-> 4711" pthfs diff a.pth b.pth
}

# deep FILE PREFIX: 2000 equal tensors, each of another storage, under 100 dicts with long keys.
deep() {
    PYTHONPATH=$REPO/tests/bench python3 -c '
import sys
from inputs import *
top = {f"{sys.argv[2]}{i}." + "w" * 200: Tensor(Storage(i, 1), (1,)) for i in range(2000)}
for k in range(100):
    top = {"k" * 240: top}
write_checkpoint(sys.argv[1], top, [Zeros(4)] * 2000)' "$@"
}

# Names are as long as dicts are deep, and each was compared with 256 others from end to end.
@test "renamed keys under very deep dicts are found in time" {
    deep deep-a.pth a
    deep deep-b.pth b
    says 1 "0 changed, 2000 renamed, 0 added, 0 removed" timeout 10 "$PTHFS" diff deep-a.pth deep-b.pth
}

@test "-q shows names of files without what a terminal obeys" {
    cp b.pth $'b\e[31m.pth'
    pthfs set $'b\e[31m.pth' epoch 4711
    run pthfs diff -q a.pth $'b\e[31m.pth'
    [ "$status" -eq 1 ]
    [ "$output" = 'Files a.pth and b\x1b[31m.pth differ' ]
}

# --- git ------------------------------------------------------------------------------------------

@test "git diff and git log say what has changed in a checkpoint" {
    require_cmd git
    export PATH=$REPO/contrib/git:$PATH HOME=$PWD GIT_CONFIG_NOSYSTEM=1
    git init -q repo
    cd repo
    git config user.name me
    git config user.email me@example.org
    # the three lines of the README
    echo '*.pth diff=pthfs' >>.gitattributes
    git config diff.pthfs.command pthfs-git-diff
    git config diff.pthfs.textconv pthfs-git-text
    cp ../a.pth model.pth
    git add . && git commit -qm one
    pthfs set model.pth epoch 4711
    says 0 "diff --pthfs a/model.pth b/model.pth" git --no-pager diff
    [[ $output == *"-> 4711"* ]]
    git commit -qam two
    says 0 "+epoch  4711" git --no-pager log -p -1
    git rm -q model.pth
    says 0 "deleted checkpoint" git --no-pager diff --cached
}

# Git hands text to the terminal as it is, and leaves out what looks the same.
@test "the text for git has nothing a terminal obeys, and a checksum for what it does not show" {
    text() { "$REPO/contrib/git/pthfs-git-text" "$1" | grep '^arch '; }
    pthfs set a.pth arch "$(printf 'x\033]0;y\007\302\2332J\342\200\256z')"
    run text a.pth
    [[ $output == "arch  x ]0;y  2J z  "*" bytes, cksum "* ]]
    run ! grep -q "$(printf '[\001-\037\177]\|\302\233\|\342\200\256')" <<<"$output"
    long=$(head -c 2000 /dev/zero | tr '\0' z)
    pthfs set a.pth arch "${long}a"
    pthfs set b.pth arch "${long}b"
    [ "$(text a.pth)" != "$(text b.pth)" ]
    pthfs set a.pth arch "$(printf 'one\ntwo')"
    pthfs set b.pth arch "one two"
    [ "$(text a.pth)" != "$(text b.pth)" ]
}
