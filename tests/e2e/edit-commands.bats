#!/usr/bin/env bats
# Editing without a mount: rename, set, rm, compact; and status, commit, revert, recover of a file.
load common
# shellcheck disable=SC2016

prepare() {
    cp "$DATA/demo.pth" c.pth
    cp "$DATA/good-state-dict.pth" s.pth
}

# Where there are two, the newer torch.
require_torch() {
    PYTHON=${PTHFS_TORCH_PYTHON:-}
    if [ -z "$PYTHON" ] || ! "$PYTHON" -c "import torch" 2>/dev/null; then require_python torch; fi
}

# torch CODE [FILE]: what CODE, an expression over d (the checkpoint, c.pth) and torch, is.
torch() {
    "$PYTHON" -c "import sys, torch
d = torch.load(sys.argv[2], weights_only=False)
print(eval(sys.argv[1]))" "$1" "${2:-c.pth}"
}

# Every way in which every torch here opens a state_dict.
loads() {
    local python
    for python in "$PYTHON" "${PTHFS_TORCH113_PYTHON:-}"; do
        [ -z "$python" ] || "$python" - "$1" <<'EOF'
import sys, torch
ways = [{}, {"weights_only": True}]
if int(torch.__version__.split(".")[0]) >= 2:
    ways.append({"mmap": True, "weights_only": True})
for how in ways:
    for t in torch.load(sys.argv[1], **how).values():
        t.sum()
EOF
    done
}

# Two state_dicts hold the same, but for their keys: FILE FILE, and a Python function from key to key.
same_but_keys() {
    "$PYTHON" - "$@" <<'EOF'
import sys, torch
a, b = (torch.load(f) for f in sys.argv[1:3])
key = eval(sys.argv[3])
assert [key(k) for k in a] == list(b), list(b)
assert all(torch.equal(v, b[key(k)]) and v.dtype == b[key(k)].dtype for k, v in a.items())
EOF
}

# Nothing but these files is left in the directory: no journal, no temporary.
only() {
    diff <(printf '%s\n' "$@" | sort) <(find . -maxdepth 1 -type f ! -name 'separate-stderr-*' -printf '%f\n' | sort)
}

# --- set -----------------------------------------------------------------------------------------

@test "set changes one value, and everything else stays" {
    require_torch
    run --separate-stderr "$PTHFS" set c.pth optimizer/param_groups/0/lr 0.025
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "set optimizer/param_groups/0/lr in c.pth, wrote "*"("*")"* ]]
    [ "$(torch 'd["optimizer"]["param_groups"][0]["lr"]')" = 0.025 ]
    diff <("$PTHFS" ls "$DATA/demo.pth" | grep -v /lr) <("$PTHFS" ls c.pth | grep -v /lr)
    cmp <("$PTHFS" cat "$DATA/demo.pth" model/module.conv2.weight) <("$PTHFS" cat c.pth model/module.conv2.weight)
    only c.pth s.pth
}

@test "set keeps the type of a value" {
    require_torch
    "$PTHFS" set c.pth epoch 13
    [ "$(torch 'repr(d["epoch"])')" = 13 ]
    "$PTHFS" set c.pth arch 13
    [ "$(torch 'repr(d["arch"])')" = "'13'" ]
    "$PTHFS" set c.pth optimizer/param_groups/0/amsgrad True
    [ "$(torch 'd["optimizer"]["param_groups"][0]["amsgrad"]')" = True ]
    "$PTHFS" set c.pth args/batch_size 512
    [ "$(torch 'd["args"].batch_size')" = 512 ]
}

@test "a negative number is a value and no option" {
    "$PTHFS" set c.pth lr_scheduler/eta_min -0.5 --compact
    [ "$("$PTHFS" cat c.pth lr_scheduler/eta_min)" = -0.5 ]
    "$PTHFS" set c.pth -- epoch -3
    [ "$("$PTHFS" cat c.pth epoch)" = -3 ]
    fails 2 "option -z" "$PTHFS" set c.pth epoch -z
}

@test "set - reads the value, without its last newline, from standard input" {
    printf 'one\ntwo\n' | "$PTHFS" set c.pth arch -
    [ "$("$PTHFS" cat c.pth arch | od -An -c | tr -d ' \n')" = 'one\ntwo\n' ]
}

@test "set of a new key makes it, of the type that the text looks like" {
    require_torch
    "$PTHFS" set c.pth steps 1000
    "$PTHFS" set c.pth model/note "hello you"
    "$PTHFS" set c.pth sizes '[1, 2]'
    [ "$(torch '(d["steps"], d["model"]["note"], d["sizes"])')" = "(1000, 'hello you', [1, 2])" ]
}

@test "text that is not of the type is refused, and the file is as it was" {
    fails 2 epoch "$PTHFS" set c.pth epoch twelve
    cmp c.pth "$DATA/demo.pth"
    only c.pth s.pth
}

@test "a value in a directory that is not there is refused" {
    fails 2 "no such name" "$PTHFS" set c.pth nowhere/x 1
    cmp c.pth "$DATA/demo.pth"
}

@test "set --npy makes the tensor what the file holds, with dtype and shape" {
    require_torch
    "$PYTHON" -c 'import numpy; numpy.save("new.npy", numpy.arange(6, dtype="float16").reshape(2, 3))'
    "$PTHFS" set s.pth fc.weight --npy new.npy
    [ "$(torch 'd["fc.weight"].tolist(), d["fc.weight"].dtype' s.pth)" = "([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], torch.float16)" ]
    loads s.pth
    "$PTHFS" set --npy new.npy s.pth extra
    [ "$(torch 'list(d)[-1], d["extra"].shape' s.pth)" = "('extra', torch.Size([2, 3]))" ]
    loads s.pth
}

@test "set --npy of the same dtype and shape writes little" {
    require_torch
    "$PYTHON" -c 'import numpy; numpy.save("new.npy", numpy.ones((4, 3, 3, 3), dtype="float32"))'
    run "$PTHFS" set s.pth conv.weight --npy new.npy --inplace
    [ "$status" -eq 0 ]
    [ "$(torch 'd["conv.weight"].sum().item()' s.pth)" = 108.0 ]
    loads s.pth
}

@test "what is no .npy file is refused" {
    echo hello >x.npy
    fails 2 x.npy "$PTHFS" set s.pth conv.weight --npy x.npy
    fails 2 "no.npy" "$PTHFS" set s.pth conv.weight --npy no.npy
    cmp s.pth "$DATA/good-state-dict.pth"
}

# --- rename --------------------------------------------------------------------------------------

@test "rename gives one key another name, in its place" {
    require_torch
    run --separate-stderr "$PTHFS" rename s.pth conv.weight first.weight
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "renamed conv.weight to first.weight in s.pth, wrote "* ]]
    same_but_keys "$DATA/good-state-dict.pth" s.pth 'lambda k: "first.weight" if k == "conv.weight" else k'
    loads s.pth
}

@test "rename moves a key from one dict to another, and renames a directory" {
    require_torch
    "$PTHFS" rename c.pth epoch lr_scheduler/epoch
    [ "$(torch '"epoch" in d, d["lr_scheduler"]["epoch"]')" = "(False, 12)" ]
    "$PTHFS" rename c.pth model net
    [ "$(torch '"model" in d, len(d["net"])')" = "(False, 17)" ]
}

@test "rename onto a name that is there is refused, and the file is as it was" {
    fails 2 "conv.bias" "$PTHFS" rename s.pth conv.weight conv.bias
    cmp s.pth "$DATA/good-state-dict.pth"
    only c.pth s.pth
}

@test "rename of a name that is not there says so, and what it may have been" {
    fails 2 "conv1.bias: no such name in the checkpoint (is it model/module.conv1.bias?)" "$PTHFS" rename c.pth model/conv1.bias x
    fails 2 "no such name" "$PTHFS" rename c.pth nothing x
    [[ $stderr != *"is it"* ]]
}

@test "rename --strip takes a prefix off every key, and torch loads the result in every way" {
    require_torch
    cp "$DATA/good-dataparallel.pth" p.pth
    run --separate-stderr "$PTHFS" rename --strip module p.pth
    [ "$status" -eq 0 ]
    [[ $output == "renamed "*" keys in p.pth, wrote "* ]]
    same_but_keys "$DATA/good-dataparallel.pth" p.pth 'lambda k: k.removeprefix("module.")'
    loads p.pth
}

@test "the module versions follow the keys" {
    require_torch
    cp "$DATA/good-dataparallel.pth" p.pth
    before=$(torch 'sorted(k.removeprefix("module.") for k in d._metadata if k.startswith("module."))' p.pth)
    "$PTHFS" rename --strip module. p.pth
    [ "$(torch 'sorted(k for k in d._metadata if k)' p.pth)" = "$before" ]
}

@test "--strip goes through every state_dict, and leaves what lacks the prefix alone" {
    require_torch
    "$PTHFS" rename c.pth --strip module
    [ "$(torch '[k for k in d["model"] if k.startswith("module")]')" = "[]" ]
    [ "$(torch 'd["model"]["fc.weight"].data_ptr() == d["model"]["embed.weight"].data_ptr()')" = True ]
    [ "$(torch 'len(d["optimizer"]["state"]), "exp_avg" in d["optimizer"]["state"][0]')" = "(10, True)" ]
}

@test "--add and --strip take each other back" {
    require_torch
    "$PTHFS" rename --add backbone.net s.pth
    same_but_keys "$DATA/good-state-dict.pth" s.pth 'lambda k: "backbone.net." + k'
    "$PTHFS" rename --strip backbone.net s.pth
    same_but_keys "$DATA/good-state-dict.pth" s.pth 'lambda k: k'
}

@test "--regex replaces in every key, with groups, and --in in one state_dict only" {
    require_torch
    "$PTHFS" rename --regex 's/^module\.(conv|bn)([0-9])/block\2.\1/' --in model c.pth
    [ "$(torch 'list(d["model"])[0]')" = block1.conv.weight ]
    "$PTHFS" rename --regex 'exp_/m_/g' --in optimizer/state/3 c.pth
    [ "$(torch 'list(d["optimizer"]["state"][3]), "exp_avg" in d["optimizer"]["state"][4]')" = "(['step', 'm_avg', 'm_avg_sq'], True)" ]
}

@test "keys that would become one are refused, and the file is as it was" {
    fails 2 "conv" "$PTHFS" rename --regex '[.](weight|bias)$/.x/' s.pth
    cmp s.pth "$DATA/good-state-dict.pth"
}

@test "a rule that changes no key is an error" {
    fails 2 "no key of a state_dict begins with module." "$PTHFS" rename --strip module s.pth
    fails 2 "no such name" "$PTHFS" rename --regex 'zzz/y/' s.pth
    cmp s.pth "$DATA/good-state-dict.pth"
}

@test "rules that make no sense are refused in a line" {
    fails 2 "exclude each other" "$PTHFS" rename --strip a --add b s.pth
    fails 2 "S/R/" "$PTHFS" rename --regex abc s.pth
    fails 2 "the expression '('" "$PTHFS" rename --regex '(/x/' s.pth
    fails 2 "empty" "$PTHFS" rename --strip . s.pth
    fails 2 "--in goes with" "$PTHFS" rename --in model c.pth epoch x
    fails 2 "missing" "$PTHFS" rename s.pth conv.weight
    fails 2 "too many" "$PTHFS" rename --strip module s.pth x
}

# --- rm ------------------------------------------------------------------------------------------

@test "rm removes what a pattern matches" {
    require_torch
    run --separate-stderr "$PTHFS" rm c.pth 'optimizer/**' 'model/*.bias'
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "removed "*" names from c.pth, wrote "* ]]
    [ "$(torch 'any(k.endswith(".bias") for k in d["model"])')" = False ]
    [ "$(torch 'len(d["model"]), d["epoch"]')" = "(12, 12)" ]
}

@test "rm of a directory removes it with all that is in it" {
    require_torch
    "$PTHFS" rm c.pth optimizer
    [ "$(torch '"optimizer" in d, len(d["model"])')" = "(False, 17)" ]
}

@test "a pattern that nothing matches is an error, and nothing is removed" {
    fails 2 "nope*: no such name" "$PTHFS" rm c.pth 'model/*.bias' 'nope*'
    fails 2 "(is it model/module.conv1.bias?)" "$PTHFS" rm c.pth conv1.bias
    cmp c.pth "$DATA/demo.pth"
    only c.pth s.pth
}

@test "one name of a tied tensor goes, the other stays" {
    "$PTHFS" rm c.pth model/module.embed.weight
    cmp <("$PTHFS" cat "$DATA/demo.pth" model/module.fc.weight) <("$PTHFS" cat c.pth model/module.fc.weight)
    fails 2 "no such name" "$PTHFS" cat c.pth model/module.embed.weight
}

# --- compact, and the options of all -------------------------------------------------------------

@test "compact gives back what rm has left, and a second one changes no byte" {
    require_torch
    "$PTHFS" rm c.pth optimizer
    before=$(stat -c %s c.pth)
    run "$PTHFS" compact c.pth
    [ "$status" -eq 0 ]
    [[ $output == "compacted c.pth"* ]]
    [ "$(stat -c %s c.pth)" -lt "$before" ]
    cp c.pth once.pth
    "$PTHFS" compact c.pth
    cmp c.pth once.pth
    [ "$(torch 'len(d["model"])')" = 17 ]
}

@test "--compact does it at once" {
    cp c.pth d.pth
    "$PTHFS" rm --compact c.pth optimizer
    "$PTHFS" rm d.pth optimizer
    "$PTHFS" compact d.pth
    cmp c.pth d.pth
}

@test "--output writes another file and leaves the checkpoint alone" {
    "$PTHFS" rename --strip module --output plain.pth c.pth
    cmp c.pth "$DATA/demo.pth"
    "$PTHFS" ls plain.pth model/fc.weight
    "$PTHFS" set --output set.pth c.pth epoch 1
    "$PTHFS" rm --output rm.pth c.pth optimizer
    "$PTHFS" compact --output compact.pth c.pth
    cmp c.pth "$DATA/demo.pth"
    [ "$("$PTHFS" cat set.pth epoch)" = 1 ]
    only c.pth s.pth plain.pth set.pth rm.pth compact.pth
}

@test "--output does not write over a file" {
    echo precious >out.pth
    fails 2 out.pth "$PTHFS" set --output out.pth c.pth epoch 1
    [ "$(cat out.pth)" = precious ]
    fails 2 "exclude" "$PTHFS" set --output x.pth --inplace c.pth epoch 1
}

@test "--dry-run says what would be written, and writes nothing" {
    for c in "rename --strip module c.pth" "set c.pth epoch 1" "rm c.pth optimizer"; do
        # shellcheck disable=SC2086
        run --separate-stderr "$PTHFS" $c --dry-run
        [ "$status" -eq 0 ]
        [[ $output == "dry run: "*" would write "* ]]
        [ "${#lines[@]}" -eq 1 ]
    done
    run "$PTHFS" compact --dry-run c.pth
    [ "$output" = "dry run: compacted c.pth: nothing to change" ]
    cmp c.pth "$DATA/demo.pth"
    only c.pth s.pth
}

@test "-v lists every change" {
    run "$PTHFS" rename -v --dry-run --strip module --in model c.pth
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -gt 2 ]
    [[ $output == *fc.bias* ]]
}

@test "--inplace patches the file itself and leaves no journal" {
    require_torch
    ln s.pth link.pth
    before=$(stat -c %i s.pth)
    "$PTHFS" rename --inplace s.pth conv.weight first.weight
    [ "$(stat -c %i s.pth)" = "$before" ]
    [ "$(torch 'list(d)[0]' link.pth)" = first.weight ]
    loads s.pth
    only c.pth s.pth link.pth
}

@test "mode, a link to the file and its attributes stay" {
    require_cmd setfattr getfattr
    mkdir real
    mv c.pth real/
    ln -s real/c.pth c.pth
    chmod 640 real/c.pth
    setfattr -n user.origin -v here real/c.pth 2>/dev/null || need "no xattrs here"
    "$PTHFS" set c.pth epoch 1
    [ -L c.pth ]
    [ "$(stat -c %a real/c.pth)" = 640 ]
    [ "$(getfattr --only-values -n user.origin real/c.pth)" = here ]
    [ "$("$PTHFS" cat real/c.pth epoch)" = 1 ]
    [ "$(ls -A real)" = c.pth ]
}

@test "legacy streams are edited too" {
    require_torch
    cp "$DATA/good-legacy-state-dict.pth" l.pth
    first=$("$PTHFS" ls l.pth | head -n 1 | cut -f 1)
    "$PTHFS" rename l.pth "$first" renamed
    [ "$(torch 'list(d)[0]' l.pth)" = renamed ]
    cmp <("$PTHFS" cat l.pth renamed) <("$PTHFS" cat "$DATA/good-legacy-state-dict.pth" "$first")
}

@test "a file that may not grow is left as it was" {
    fails 2 "File too large" bash -c "ulimit -f 8; '$PTHFS' rename --compact c.pth epoch era"
    cmp c.pth "$DATA/demo.pth"
    only c.pth s.pth
}

@test "a full standard output does not undo an edit, and is an error" {
    [ -w /dev/full ] || need "no /dev/full"
    fails 2 "standard output: No space left" bash -c "'$PTHFS' set c.pth epoch 1 >/dev/full"
    [ "$("$PTHFS" cat c.pth epoch)" = 1 ]
}

@test "a salvaged file is not edited, a damaged one not either" {
    fails 2 "salvaged" "$PTHFS" rm -o salvage c.pth epoch
    head -c 60000 c.pth >cut.pth
    cp cut.pth want
    fails 2 "truncated" "$PTHFS" set cut.pth epoch 1
    cmp cut.pth want
}

# --- status, commit, revert, recover of a file ---------------------------------------------------

@test "a checkpoint without a journal is clean, and there is nothing to do" {
    require_cmd jq
    run "$PTHFS" status c.pth
    [ "$status" -eq 0 ]
    [[ $output == clean* ]]
    [ "$("$PTHFS" status --json c.pth | jq -r .state)" = clean ]
    [ "$("$PTHFS" status --json c.pth | jq -c .mounts)" = '[]' ]
    [ "$("$PTHFS" commit c.pth)" = "nothing to commit" ]
    [ "$("$PTHFS" revert c.pth)" = "nothing to revert" ]
    [ "$("$PTHFS" recover c.pth)" = "nothing to recover" ]
    cmp c.pth "$DATA/demo.pth"
    only c.pth s.pth
}

@test "status of what is no checkpoint is an error" {
    fails 2 "No such file" "$PTHFS" status nothing.pth
    fails 2 "neither a mount point nor a checkpoint" "$PTHFS" status "$BATS_TEST_TMPDIR"
}

# A mount with one edit that is in the journal, whose process is killed.
crash() {
    require_fuse
    "$PTHFS" -q -o rw c.pth mnt
    echo 99 >mnt/epoch
    sync -f mnt/epoch
    sync mnt/epoch
    kill -9 "$(daemon_of c.pth)"
    wait_until not_answering mnt
    umount -l mnt 2>/dev/null || fusermount3 -uz mnt
}

not_answering() {
    ! stat "$1/epoch" 2>/dev/null
}

@test "edits that a crash has left are told, kept by recover and written by commit" {
    crash
    run "$PTHFS" status c.pth
    [ "$status" -eq 1 ]
    [[ $output == dirty* ]]
    run "$PTHFS" recover c.pth
    [ "$status" -eq 0 ]
    [[ $output == *"1 edit"* ]]
    cmp c.pth "$DATA/demo.pth"
    run "$PTHFS" commit --dry-run c.pth
    [ "$status" -eq 0 ]
    [[ $output == *"would commit 1 edit and write "* ]]
    cmp c.pth "$DATA/demo.pth"
    run --separate-stderr "$PTHFS" commit c.pth
    [ "$status" -eq 0 ]
    [[ $output == "committed 1 edit, wrote "* ]]
    [ "$("$PTHFS" cat c.pth epoch)" = 99 ]
    [ "$(find . -name '*journal*')" = "" ]
}

@test "commit --inplace writes them into the file itself, and is not for a mount" {
    crash
    before=$(stat -c %i c.pth)
    "$PTHFS" commit --inplace c.pth
    [ "$("$PTHFS" cat c.pth epoch)" = 99 ]
    [ "$(stat -c %i c.pth)" = "$before" ]
    only c.pth s.pth
    "$PTHFS" -q -o rw c.pth mnt
    fails 2 "is told by -o inplace" "$PTHFS" commit --inplace mnt
}

@test "edits that a crash has left are dropped by revert" {
    crash
    [[ $("$PTHFS" revert c.pth) == "dropped "*" edit"* ]]
    "$PTHFS" status c.pth
    cmp c.pth "$DATA/demo.pth"
    [ "$(find . -name '*journal*')" = "" ]
}

@test "a checkpoint with edits that wait is not edited by a command" {
    crash
    fails 2 "journal" "$PTHFS" set c.pth epoch 1
    cmp c.pth "$DATA/demo.pth"
}

@test "a checkpoint that is mounted read-write is not edited by a command" {
    require_fuse
    "$PTHFS" -q -o rw c.pth mnt
    fails 2 "c.pth" "$PTHFS" set c.pth epoch 1
    fails 2 "c.pth" "$PTHFS" compact c.pth
    cmp c.pth "$DATA/demo.pth"
}

# --- help ----------------------------------------------------------------------------------------

@test "every command has a help, a place in --help, in the manual page and in the completions" {
    for c in mount umount status commit revert recover ls info check cat rename set rm compact; do
        run "$PTHFS" "$c" --help
        [ "$status" -eq 0 ]
        [[ $output == "usage: pthfs "* ]]
        [ "$output" = "$("$PTHFS" help "$c")" ]
        "$PTHFS" --help | grep -q "^  $c "
        grep -qE "^\.(Cm|Op Cm) $c\$" "$REPO/contrib/pthfs.1"
        grep -q "^        '$c:" "$REPO/contrib/completions/_pthfs"
        grep -qE " commands=.*[\" ]${c}[\" ]" "$REPO/contrib/completions/pthfs.bash"
    done
}

@test "every long option of a help is in the manual page and in the completions" {
    for c in umount status commit ls check cat rename set rm compact; do
        for o in $("$PTHFS" "$c" --help | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -e '--[a-z-]+'); do
            grep -q -e "Fl -${o#--}" "$REPO/contrib/pthfs.1"
            grep -q -e "$o" "$REPO/contrib/completions/_pthfs"
            grep -q -e "$o" "$REPO/contrib/completions/pthfs.bash"
        done
    done
}
