#!/usr/bin/env bats
# Keys that are no plain text, names that say less than the key, items of lists; and what is said.
load common
load judge
# shellcheck disable=SC2016,SC2035

prepare() {
    require_fuse
    require_torch
}

# made EXPRESSION: a checkpoint that holds it, mounted to be edited.
made() {
    "$TORCH" -c "import torch
torch.save($1, 'c.pth')"
    cp c.pth before.pth
    mount_ckpt ./c.pth mnt -o rw
}

# loads CLAIM...: true of d, which the checkpoint holds, after the unmount.
loads() {
    if is_mounted mnt; then "$PTHFS" umount mnt; fi
    local claim
    for claim in "$@"; do
        "$TORCH" -c "import torch
d = torch.load('c.pth', weights_only=False)
assert $claim, d"
    done
}

# refused TEXT LOG CMD...
refused() {
    local text=$1 said=$2
    shift 2
    run "$@"
    [ "$status" -ne 0 ]
    if [[ $output != *"$text"* ]]; then echo "'$text' is not in: $output" && return 1; fi
    grep -qF "$said" mnt/.pthfs/log || { cat mnt/.pthfs/log && return 1; }
}

@test "a key that goes and comes back is the very key: a number, a tuple, None, a long one" {
    made '{0: torch.ones(1), "0": torch.zeros(1), (0, 1): torch.ones(2), None: 3, "y" * 300: 4, "a/b": 5}'
    cd mnt
    for name in 0 0~2 '(0, 1)' None y* a%2Fb; do
        mv "$name" t
        mv t "$name"
    done
    cd ..
    run -0 "$PTHFS" status mnt
    "$PTHFS" umount mnt
    cmp c.pth before.pth
}

@test "an optimizer's states change places and stay numbers" {
    made '{"state": {0: {"step": 10}, 1: {"step": 11}, 2: {"step": 12}}}'
    mv mnt/state/0 mnt/state/t
    mv mnt/state/1 mnt/state/0
    mv mnt/state/t mnt/state/1
    loads 'd["state"] == {1: {"step": 10}, 0: {"step": 11}, 2: {"step": 12}}'
}

@test "a key that Python takes for another one is refused" {
    made '{"m": {0: 1, True: 2}, "f": {0: 1, 3.0: 2}}'
    refused 'not supported' 'm/0: 1: there is True already' mv mnt/m/0 mnt/m/1
    refused 'not supported' 'f/0: 3: there is 3.0 already' mv mnt/f/0 mnt/f/3
    "$PTHFS" umount mnt
    cmp c.pth before.pth
}

@test "keys with names that were cut, and the longest that are not, move and go" {
    made '{"a": {"x" * 250: torch.ones(1), "y" * 300: torch.ones(1)}, "b": {"x" * 250: 1, "z" * 260: torch.ones(2)}}'
    rm -r mnt/a
    mv mnt/b/z*~???????????????? mnt/short
    rm mnt/b/x*
    rmdir mnt/b
    loads 'list(d) == ["short"] and d["short"].tolist() == [1, 1]'
}

@test "the items of a list keep their order, and their numbers are their places after a commit" {
    made '{"l": [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 3}]}'
    refused 'not supported' 'l/0: 9: the items of a list keep their order' mv mnt/l/0 mnt/l/9
    rm -r mnt/l/1
    refused 'not supported' 'l/1: 1: the items of a list keep their order' mkdir mnt/l/1
    mkdir mnt/l/7
    "$PTHFS" commit mnt
    [ "$(ls mnt/l | xargs)" = '0 1 2 3' ]
    echo 9 >mnt/l/1/n
    loads 'd["l"] == [{"n": 0}, {"n": 9}, {"n": 3}, {}]'
}

@test "the .json of a sparse tensor takes what it shows and nothing else" {
    made '{"s": torch.eye(2).to_sparse(), "e": 1}'
    cat mnt/s.json >shown
    cp shown mnt/s.json
    echo '{"indices": 1}' >other
    refused 'not supported' 's.json: this follows from the parts' cp other mnt/s.json
}

@test "requires_grad where torch could not load it is refused" {
    "$TORCH" -c 'import torch; torch.float8_e4m3fn' 2>/dev/null || need "no torch with float8"
    made '{"f": torch.ones(4).to(torch.float8_e4m3fn), "p": torch.nn.Parameter(torch.ones(1))}'
    echo '{"dtype": "float8_e4m3fn", "shape": [2, 2], "requires_grad": true}' >meta
    refused 'Invalid argument' 'f.meta: torch cannot load a tensor of float8_e4m3fn' cp meta mnt/f.meta
    echo '{"dtype": "float8_e4m3fn", "shape": [4]}' >mnt/p.meta
    loads 'd["p"].requires_grad and d["p"].dtype == torch.float8_e4m3fn'
}

@test "what came with a directory is one edit, and refusals name what they are about" {
    made '{"e": 1, "model": {"a": torch.ones(1), "b": torch.ones(1)}}'
    echo '{"x": {"y": {"z": 1}}}' >mnt/e.json
    run -1 "$PTHFS" status mnt
    [ "${#lines[@]}" -eq 2 ]
    refused 'Permission denied' '.pthfs/info: what is in .pthfs/ is made up' rm mnt/.pthfs/info
    refused 'Permission denied' ' .pthfs/status: this file shows something' bash -c 'echo x >mnt/.pthfs/status'
}

@test "who edits it is named when there is such a process" {
    made '{"e": 1}'
    fails 32 'being edited already (pthfs status tells where)' "$PTHFS" -o rw c.pth other
    fails 2 'pthfs status tells where' "$PTHFS" set c.pth e 2
    run -0 "$PTHFS" status c.pth
    [[ $output == *"mounted read-write at $PWD/mnt"* ]]
}
