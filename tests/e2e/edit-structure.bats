#!/usr/bin/env bats
# Keys that come, go and are called otherwise, and what torch loads afterwards.
load common
load judge
# shellcheck disable=SC2016,SC2012

prepare() {
    require_fuse
    require_torch
}

floats() {
    perl -e 'print pack("f<*", @ARGV)' -- "$@"
}

python() {
    "$TORCH" -c "import numpy
$1"
}

# refused TEXT CMD...: it fails with that error, and the log has a line about it.
refused() {
    local text=$1
    shift
    run "$@"
    if [ "$status" -eq 0 ]; then echo "not refused: $*" && return 1; fi
    if [[ $output != *"$text"* ]]; then echo "'$text' is not in: $output" && return 1; fi
    grep -q " ${2#mnt/}: " mnt/.pthfs/log
}

# --- rename --------------------------------------------------------------------------------------

@test "a key that is renamed keeps its place, and its value" {
    edit training
    mv mnt/epoch mnt/step
    mv mnt/other/b.weight mnt/other/c.weight
    mv mnt/ema/2/decay mnt/ema/2/rate
    [ "$(ls -U mnt/other | head -n 1)" = c.weight ]
    holds 'same(renamed(o, lambda k: "step" if k == "epoch" else k)["step"], 12)' 'list(d)[:2] == ["step", "arch"]' \
        'list(d["other"]) == ["c.weight", "a.weight"]' 'same(d["other"]["c.weight"], o["other"]["b.weight"])' \
        'd["ema"][2] == {"rate": 0.5}' 'same(d["model"], o["model"]) and same(d["optimizer"], o["optimizer"])'
}

@test "a key moves from one dict to another" {
    edit training
    mv mnt/other/a.weight mnt/model/extra
    mv mnt/epoch mnt/optimizer/epoch
    mv mnt/optimizer/state/0 mnt/zero
    committed other/a.weight model/extra epoch optimizer/epoch zero{,/step,/exp_avg,/exp_avg_sq} \
        optimizer/state/0{,/step,/exp_avg,/exp_avg_sq}
    holds 'list(d["other"]) == ["b.weight"]' 'same(d["model"]["extra"], o["other"]["a.weight"])' \
        'd["optimizer"]["epoch"] == 12 and "epoch" not in d' 'same(d["zero"], o["optimizer"]["state"][0])' \
        'list(d["optimizer"]["state"]) == [1, 2, 3, 4, 5]'
}

@test "a whole directory is renamed, and moved" {
    edit training
    mv mnt/model mnt/state_dict
    mv mnt/optimizer mnt/other/optim
    holds 'list(d) == ["epoch", "arch", "state_dict"] + list(o)[4:]' 'same(d["state_dict"], o["model"])' \
        'same(d["other"]["optim"], o["optimizer"])' 'tied(d["state_dict"]["module.head.weight"],
        d["state_dict"]["module.embed.weight"])'
}

@test "a directory is not moved into itself, and nothing is moved over what is there" {
    edit training
    run mv mnt/optimizer mnt/optimizer/state/x
    [ "$status" -ne 0 ]
    python '
import errno, os
for a, b, want in (("epoch", "model", errno.EISDIR), ("model", "epoch", errno.ENOTDIR), ("model", "optimizer", errno.EEXIST),
        ("other/a.weight", "other/b.weight", errno.EEXIST), ("model", "model/x", errno.EINVAL)):
    try:
        os.rename("mnt/" + a, "mnt/" + b)
        raise SystemExit("%s went to %s" % (a, b))
    except OSError as e:
        assert e.errno == want, (a, b, e)'
    "$PTHFS" status mnt
    "$PTHFS" umount mnt
    cmp c.pth "$ORIGINAL"
}

@test "names that no key can have are refused, and the others are unescaped" {
    edit training
    mv mnt/epoch 'mnt/a%2Fb'
    mv mnt/arch 'mnt/über mich'
    run mv mnt/pair "mnt/$(printf 'x%.0s' {1..251})"
    [[ $output == *"name too long"* ]]
    holds 'd["a/b"] == 12' 'd["über mich"] == "net"' 'list(d)[:2] == ["a/b", "über mich"]'
}

@test "a key does not take another one's place" {
    edit training
    refused "File exists" mv mnt/arch mnt/epoch
    refused "File exists" mv mnt/other/a.weight mnt/trainer/weight
    "$PTHFS" status mnt
}

# --- through views ---------------------------------------------------------------------------------

@test "mv mnt/module/* mnt/ strips the prefix, and everything else stays" {
    edit parallel
    mv mnt/module/* mnt/
    [ -z "$(find mnt -maxdepth 1 -name 'module*')" ]
    holds 'same(d, stripped(o, "module."))' 'torch.__version__ < "2" or same(d, consumed(o, "module."))'
}

@test "the same of a state_dict below a key, its _metadata too" {
    edit training
    mv mnt/model/module/* mnt/model/
    holds 'same(d["model"], stripped(o["model"], "module."))' 'list(d) == list(o)' 'same(d["optimizer"], o["optimizer"])'
}

@test "a prefix comes off a part of the keys, and their modules are called so in the _metadata" {
    edit parallel
    mv mnt/.pthfs/strip/module.body/0.* mnt/
    holds 'list(d)[:3] == ["0.weight", "0.bias", "module.body.1.weight"]' \
        '"0" in d._metadata and "module.body.0" not in d._metadata and "module.body.1" in d._metadata' \
        'd._metadata["0"] == o._metadata["module.body.0"]'
}

@test "a key is renamed within a view" {
    edit parallel
    mv mnt/module/body.0.weight mnt/module/first.weight
    mv mnt/module/body.0.bias mnt/module/first.bias
    holds 'list(d)[:2] == ["module.first.weight", "module.first.bias"]' \
        'list(d._metadata).count("module.first") == 1 and "module.body.0" not in d._metadata'
}

@test "the prefix is put on by the other view" {
    edit training
    mv mnt/other/module/* mnt/other/
    mv mnt/model/.pthfs/add/ema/* mnt/model/
    holds 'list(d["other"]) == ["module.b.weight", "module.a.weight"]' \
        'list(d["model"]) == ["ema." + k for k in o["model"]]' 'd["model"]._metadata["ema.module.body.0"] ==
        o["model"]._metadata["module.body.0"]'
}

@test "two keys that would become one are refused before anything changes" {
    edit training
    cp --reflink=never mnt/model/module.head.bias head.bias
    python 'import numpy; numpy.save("mnt/model/head.bias.npy", numpy.ones(2, dtype="f4"))'
    run mv mnt/model/module/head.bias mnt/model/
    [ "$status" -ne 0 ]
    [[ $output == *"File exists"* ]]
    [ -e mnt/model/module.head.bias ]
    cmp mnt/model/module.head.bias head.bias
    holds 'd["model"]["head.bias"].tolist() == [1, 1]' 'same(d["model"]["module.head.bias"], o["model"]["module.head.bias"])'
}

# --- removal -----------------------------------------------------------------------------------------

@test "rm takes keys away, one by one and with all that is below" {
    edit training
    rm mnt/epoch mnt/model/module.head.bias
    rm -r mnt/optimizer mnt/ema/2
    rm mnt/pair/1
    [ ! -e mnt/optimizer ]
    holds 'list(d) == ["arch", "model", "args", "trainer", "ema", "pair", "counts", "other"]' \
        '"module.head.bias" not in d["model"] and len(d["model"]) == 9' 'len(d["ema"]) == 2' \
        'len(d["pair"]) == 1 and type(d["pair"]) is tuple'
}

@test "rm of one tied name leaves the other" {
    edit parallel
    rm mnt/module.embed.weight
    [ "$(stat -c %h mnt/module.head.weight)" -eq 1 ]
    holds '"module.embed.weight" not in d' 'same(d["module.head.weight"], o["module.head.weight"])'
}

@test "sparse and quantized tensors are removed as directories" {
    edit parts
    rm -r mnt/coo mnt/q
    mv mnt/csr mnt/rows
    holds 'list(d) == ["rows", "qc", "w"]' 'torch.equal(d["rows"].to_dense(), o["csr"].to_dense())' 'same(d["qc"], o["qc"])'
}

@test "a part of a sparse tensor does not come and go by itself" {
    edit parts
    rm mnt/coo/values
    grep ' coo: what is in it goes only with the whole directory' mnt/.pthfs/log
    [ -s mnt/coo/values ]
    run rmdir mnt/coo
    [[ $output == *"not empty"* ]]
    refused "not supported" mv mnt/coo/indices mnt/x
    "$PTHFS" umount mnt
    cmp c.pth "$ORIGINAL"
}

@test "rm -r of one of two keys of a dict takes the name, and leaves what is in it to the other" {
    edit twice
    rm -r mnt/state_dict
    cmp <(ls mnt/model) <(printf '%s\n' a.weight a.weight.meta b.weight b.weight.meta sub)
    "$PTHFS" status mnt | grep -q ' 1 edit '
    holds 'list(d) == ["model", "epoch"]' 'list(d["model"]) == list(o["model"])' \
        'same(d["model"]["a.weight"], o["model"]["a.weight"])' 'd["model"]["sub"]["step"] == 5'
}

@test "rm -r of both keys of a dict removes it, and what was removed from it before stays so" {
    edit twice
    rm mnt/model/b.weight
    rm -r mnt/model/sub
    rm -r mnt/state_dict
    [ "$(ls mnt/model | xargs)" = "a.weight a.weight.meta" ]
    rm -r mnt/model
    holds 'd == {"epoch": 3}'
}

@test "everything can be removed" {
    edit training
    rm -r mnt/*
    [ -z "$(ls -A mnt)" ]
    holds 'd == {}'
}

@test "a directory that is not empty is not removed by rmdir" {
    edit training
    run rmdir mnt/other
    [[ $output == *"not empty"* ]]
    rm mnt/other/*
    rmdir mnt/other
    holds '"other" not in d'
}

# --- what is new -------------------------------------------------------------------------------------

@test "mkdir makes a dict" {
    edit training
    mkdir -p mnt/new/deeper
    mv mnt/epoch mnt/new/deeper/
    mkdir mnt/empty
    holds 'd["new"] == {"deeper": {"epoch": 12}} and d["empty"] == {}' 'list(d)[-2:] == ["new", "empty"]'
}

@test "ln ties: torch sees one storage" {
    edit training
    ln mnt/trainer/weight mnt/best
    ln mnt/model/module.head.bias mnt/model/again
    [ "$(stat -c %h mnt/best)" -eq 2 ]
    floats 7 | dd of=mnt/best conv=notrunc status=none
    holds 'tied(d["best"], d["trainer"].weight) and d["best"][0] == 7' 'tied(d["model"]["again"], d["model"]["module.head.bias"])'
}

@test "an .npy makes a new tensor, whatever its dtype and shape" {
    edit training
    python '
for kind in ("f4", "f8", "f2", "i1", "u1", "i8", "?", "c8", ">i2"):
    numpy.save("mnt/other/%s.npy" % kind.replace(">", "b"), numpy.ones((2, 3), dtype=kind))
numpy.save("mnt/scalar.npy", numpy.float32(2))
numpy.save("mnt/none.npy", numpy.zeros((3, 0), dtype="f4"))'
    [ "$(stat -c %s mnt/other/f8)" -eq 48 ]
    [ ! -e mnt/other/x.npy ]
    holds 'd["other"]["f8"].dtype == torch.float64 and d["other"]["f8"].sum() == 6' 'd["other"]["bi2"].dtype == torch.int16' \
        'all(d["other"][k].shape == (2, 3) for k in ("f4", "f2", "i1", "u1", "i8", "?", "c8"))' \
        'd["scalar"].item() == 2 and d["scalar"].shape == ()' 'd["none"].shape == (3, 0)'
}

@test "bytes become a tensor by their .meta, whichever comes first" {
    edit training
    floats 1 2 3 4 >mnt/a
    [ "$("$PTHFS" status mnt | grep -c scratch)" -gt 0 ]
    echo '{"dtype": "float32", "shape": [2, 2]}' >mnt/a.meta
    echo '{"dtype": "bfloat16", "shape": [4], "requires_grad": true}' >mnt/b.meta
    floats 1 2 >mnt/b
    [ "$("$PTHFS" status mnt | grep -c scratch)" -eq 0 ]
    holds 'd["a"].tolist() == [[1, 2], [3, 4]]' 'd["b"].dtype == torch.bfloat16 and d["b"].requires_grad' \
        'raw(d["b"]) == raw(d["a"])[:8]' 'list(d)[-2:] == ["a", "b"]'
}

@test "a .json makes a new value" {
    edit training
    echo '{"lr": 0.1, "steps": [1, 2], "who": null}' >mnt/config.json
    echo '"text"' >mnt/other/name.json
    echo 5 >mnt/optimizer/state/9.json
    [ "$(cat mnt/config/lr)" = 0.1 ]
    holds 'd["config"] == {"lr": 0.1, "steps": [1, 2], "who": None}' 'd["other"]["name"] == "text"' \
        'list(d["optimizer"]["state"])[-1] in (9, "9")'
}

@test "a file that nothing has typed is scratch: listed, and not committed" {
    edit training
    echo hello >mnt/notes.txt
    echo x >mnt/model/tmp
    run "$PTHFS" status mnt
    [ "$status" -eq 0 ]
    [[ $output == *notes.txt* && $output == *model/tmp* ]]
    [ "$(cat mnt/notes.txt)" = hello ]
    "$PTHFS" umount mnt
    cmp c.pth "$ORIGINAL"
}

@test "cp -r from another mount brings tensors and values along" {
    edit training
    sample tensors t.pth
    mount_ckpt ./t.pth from
    ORIGINAL=$BATS_FILE_TMPDIR/training.pth
    cp -r from mnt/all
    cp -r from/base{,.meta} mnt/other/
    diff -r -x '*.meta' from mnt/all
    holds 'd["all"]["w"].shape == (60, 100) and d["all"]["w"][59, 99] == 5999' 'd["all"]["t"].tolist()[0][:2] == [0, 4]' \
        'd["all"]["bool"].tolist() == [True, False, True]' 'd["other"]["base"].sum() == 2016' \
        'd["all"]["conj"][0] == 0 - 1j' 'd["all"]["param"].requires_grad and type(d["all"]["param"]) is torch.nn.Parameter' 'd["all"]["none"].shape == (0, 3)' \
        'same(d["model"], o["model"])'
}

@test "cp -r within a mount copies keys" {
    edit training
    cp -r mnt/other mnt/copy
    cp -r mnt/optimizer/param_groups mnt/groups
    holds 'same(d["copy"], o["other"])' 'not tied(d["copy"]["a.weight"], d["other"]["a.weight"])'
}

@test "names that were removed and come back are what they were" {
    edit training
    cp mnt/model/module.head.bias bias
    cp mnt/epoch epoch
    rm mnt/model/module.head.bias mnt/epoch
    cp epoch mnt/epoch
    cp bias mnt/model/module.head.bias
    mv mnt/arch mnt/arch.old
    echo vgg >mnt/arch
    rm mnt/arch.old
    committed arch '(order)'
    holds 'list(d) == ["epoch", *list(o)[2:], "arch"]'
}

@test "a tensor that was moved away and written anew is a tensor" {
    edit training
    mv mnt/trainer/weight mnt/ema/3 || true
    mv mnt/other/a.weight mnt/old
    floats 4 5 6 >mnt/other/a.weight
    holds 'd["other"]["a.weight"].tolist() == [4, 5, 6]' 'same(d["old"], o["other"]["a.weight"])'
}

# --- lists, objects, formats -----------------------------------------------------------------------------

@test "items of a list are removed and added at the end" {
    edit training
    rm mnt/ema/0
    python 'numpy.save("mnt/ema/3.npy", numpy.full(2, 8, dtype="f4"))'
    refused "" mv mnt/epoch mnt/ema/first
    holds 'len(d["ema"]) == 3' 'same(d["ema"][0], o["ema"][1]) and d["ema"][1] == {"decay": 0.5}' 'd["ema"][2].tolist() == [8, 8]'
}

@test "int keys stay ints, and a new key among them is one" {
    edit training
    mv mnt/optimizer/state/5 mnt/optimizer/state/7
    mkdir mnt/optimizer/state/8
    holds 'list(d["optimizer"]["state"]) == [0, 1, 2, 3, 4, 7, 8]' 'same(d["optimizer"]["state"][7], o["optimizer"]["state"][5])'
}

@test "of objects values change, and attributes stay which they are" {
    edit training
    echo 0.5 >mnt/args/lr
    echo 0.75 >mnt/trainer/best
    floats 4 5 6 >mnt/trainer/weight
    rm mnt/args/lr
    [ "$(cat mnt/args/lr)" = 0.5 ]
    refused "not supported" mv mnt/args/name mnt/args/nom
    refused "not supported" mkdir mnt/trainer/new
    committed args/lr trainer/best trainer/weight
}

@test "a dict of another class stays of its class" {
    edit training
    mv mnt/counts/a mnt/counts/b
    holds 'd["counts"] == {"b": 1} and type(d["counts"]) is type(o["counts"]) and d["counts"]["x"] == 0'
}

@test "TorchScript refuses structure and takes bytes" {
    edit script
    refused "not supported" mv mnt/fc.bias mnt/fc.b
    refused "not supported" rm mnt/fc.bias
    refused "not supported" mkdir mnt/x
    refused "not supported" ln mnt/fc.bias mnt/b
    floats 5 6 >mnt/fc.bias
    committed fc.bias
}

@test "a legacy stream is written back as one" {
    edit training-legacy
    mv mnt/model/module/* mnt/model/
    rm -r mnt/optimizer
    python 'numpy.save("mnt/new.npy", numpy.arange(3, dtype="f4"))'
    ln mnt/model/head.bias mnt/tie
    holds 'list(d)[:3] == ["epoch", "arch", "model"]' 'd["new"].tolist() == [0, 1, 2]' 'tied(d["tie"], d["model"]["head.bias"])' \
        'same(d["model"], stripped(o["model"], "module."))'
    [ "$(od -An -tx1 -N4 c.pth)" = "$(od -An -tx1 -N4 "$ORIGINAL")" ]
}

@test "a tar is written back as one" {
    cp "$DATA/good-old-format.tar" c.pth
    ORIGINAL=$DATA/good-old-format.tar
    mount_ckpt ./c.pth mnt -o rw
    mv mnt/weight mnt/renamed
    holds 'list(d) == ["renamed"] + list(o)[1:] and same(d["renamed"], o["weight"])' 'tied(d["renamed"], d["transposed"])'
    tar tf c.pth
}

@test "a plain pickle is written back as one" {
    cp "$DATA/good-plain-p4.pkl" c.pkl
    mount_ckpt ./c.pkl mnt -o rw
    echo '{"a": 1}' >mnt/new.json
    "$PTHFS" umount mnt
    judge holds c.pkl "$DATA/good-plain-p4.pkl" 'd["new"] == {"a": 1}' 'list(d)[:-1] == list(o)'
}

# --- at the end ------------------------------------------------------------------------------------------

@test "many edits in one commit, and nothing else" {
    require_cmd jq
    edit training
    mv mnt/model/module/* mnt/model/
    rm -r mnt/optimizer/state
    echo 13 >mnt/epoch
    mv mnt/model mnt/state_dict
    floats 9 8 7 6 5 >mnt/state_dict/head.bias
    run "$PTHFS" status --json mnt
    [ "$(jq -r .state <<<"$output")" = dirty ]
    holds 'd["epoch"] == 13 and list(d["optimizer"]) == ["param_groups"]' 'd["state_dict"]["head.bias"].tolist() == [9, 8, 7, 6, 5]' \
        'list(d["state_dict"]) == [k[7:] for k in o["model"]]' 'same(d["trainer"], o["trainer"])'
}

@test "edits that take each other back leave the checkpoint as it was" {
    edit training
    mv mnt/epoch mnt/x
    mv mnt/x mnt/epoch
    mkdir mnt/new
    rmdir mnt/new
    echo 13 >mnt/epoch
    echo 12 >mnt/epoch
    "$PTHFS" umount mnt
    cmp c.pth "$ORIGINAL"
}

# --- what the model checker found --------------------------------------------------------------------

# by_hand PYTHON: an object saved as c.pth and mounted to be edited.
by_hand() {
    "$TORCH" -c "import torch; torch.save($1, 'c.pth')"
    mkdir -p mnt
    "$PTHFS" -o rw c.pth mnt >/dev/null
}

@test "the items of a list that a commit numbered anew have no keys" {
    by_hand '{"list": [{"a": 1}, {"a": 2}, torch.zeros(2)]}'
    rm -r mnt/list/0
    "$PTHFS" commit mnt
    run cat mnt/list/1.meta
    "$PTHFS" umount mnt
    [ "$output" = '{"dtype": "float32", "shape": [2], "nbytes": 8}' ]
}

# It hung: the size of bytes was asked for under the lock of the edit, as from outside.
@test "a value of bytes is cut by its path, and edits go on" {
    by_hand '{"raw": b"ab\xff", "w": torch.zeros(2)}'
    run truncate -s 9 mnt/raw
    "$TORCH" -c 'import os; os.truncate("mnt/raw", 9)' || true
    timeout 20 mkdir mnt/new
    [ -d mnt/new ]
    "$PTHFS" umount mnt
}
