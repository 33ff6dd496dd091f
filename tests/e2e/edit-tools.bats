#!/usr/bin/env bats
# The tools that people edit files with, on a mount; torch judges what they leave behind.
load common
load judge
# shellcheck disable=SC2016,SC2034

prepare() {
    require_fuse
    require_torch
}

floats() {
    perl -e 'print pack("f<*", @ARGV)' -- "$@"
}

# The bias is 1 2 3 now, the epoch 13, the arch what it was, and nothing else changed.
BIAS=mnt/model/module.body.0.bias
changed_bias() {
    committed model/module.body.0.bias
    holds 'd["model"]["module.body.0.bias"].tolist() == [1, 2, 3]'
}
changed_epoch() {
    committed epoch
    holds 'd["epoch"] == 13'
}

@test "cp" {
    edit training
    floats 1 2 3 >new
    cp new $BIAS
    changed_bias
}

@test "cp -p" {
    edit training
    floats 1 2 3 >new
    chmod 400 new
    touch -d 2001-02-03 new
    cp -p new $BIAS
    changed_bias
}

@test "cp --remove-destination" {
    edit training
    floats 1 2 3 >new
    cp --remove-destination new $BIAS
    changed_bias
}

@test "cp -a of a whole directory onto another" {
    edit training
    cp -a mnt/optimizer backup
    floats 1 2 3 >backup/state/1/exp_avg
    cp -a backup/. mnt/optimizer/
    committed optimizer/state/1/exp_avg
}

@test "dd" {
    edit training
    floats 2 3 | dd of=$BIAS bs=4 seek=1 conv=notrunc,fsync status=none
    floats 1 | dd of=$BIAS bs=1 conv=notrunc oflag=sync status=none
    changed_bias
}

@test "truncate to nothing and write, in one open file" {
    edit training
    floats 1 2 3 >new
    python3 -c '
with open("'$BIAS'", "r+b") as f:
    f.truncate(0)
    f.write(open("new", "rb").read())'
    run truncate -s 4 $BIAS
    [ "$status" -ne 0 ]
    changed_bias
}

@test "tee" {
    edit training
    floats 1 2 3 | tee $BIAS >/dev/null
    changed_bias
}

@test "install" {
    edit training
    floats 1 2 3 >new
    install -m 600 new $BIAS
    changed_bias
}

@test "mv of a file from elsewhere" {
    edit training
    floats 1 2 3 >new
    mv new $BIAS
    changed_bias
}

@test "a temporary file beside it, renamed onto it" {
    edit training
    floats 1 2 3 >mnt/model/.tmp123
    mv mnt/model/.tmp123 $BIAS
    changed_bias
}

@test "sed -i, with a backup and without" {
    edit training
    sed -i s/12/13/ mnt/epoch
    sed -i.bak s/net/net/ mnt/arch
    rm -f mnt/arch.bak
    "$PTHFS" umount mnt
    holds 'd["epoch"] == 13 and d["arch"] == "net" and set(d) == set(o)'
}

@test "perl -pi" {
    edit training
    perl -pi -e 's/12/13/' mnt/epoch
    changed_epoch
}

@test "vim" {
    require_cmd vim
    edit training
    vim -es -u NONE -c '%s/12/13/' -c wq mnt/epoch </dev/null
    changed_epoch
}

@test "vim with a backup that is renamed away, and a swap file" {
    require_cmd vim
    edit training
    vim -es -u NONE -c 'set backup writebackup backupcopy=no swapfile' -c '%s/12/13/' -c wq mnt/epoch </dev/null
    rm -f mnt/epoch~
    holds 'd["epoch"] == 13 and set(d) == set(o)'
}

@test "ed" {
    require_cmd ed
    edit training
    printf 's/12/13/\nw\nq\n' | ed -s mnt/epoch
    changed_epoch
}

@test "jq and mv" {
    require_cmd jq
    edit training
    jq '.param_groups[0].lr = 0.5' mnt/optimizer.json >mnt/tmp
    mv mnt/tmp mnt/optimizer.json
    committed optimizer/param_groups/0/lr
    holds 'd["optimizer"]["param_groups"][0]["lr"] == 0.5'
}

@test "sed -i and vim on a .meta and a .json" {
    require_cmd vim
    edit training
    sed -i 's/\[3\]/[3, 1]/' mnt/trainer/weight.meta
    sed -i 's/0.001/0.5/' mnt/args.json
    sed -i 's/12/"twelve"/' mnt/epoch.json
    vim -es -u NONE -c '%s/\[3, 4\]/[2, 6]/' -c wq mnt/optimizer/state/0/exp_avg.meta </dev/null
    holds 'd["trainer"].weight.shape == (3, 1) and d["args"].lr == 0.5 and d["epoch"] == "twelve"' \
        'd["optimizer"]["state"][0]["exp_avg"].shape == (2, 6)' 'set(d) == set(o)'
}

@test "mv of a value's .json onto another's" {
    edit training
    mv mnt/epoch.json mnt/arch.json || true
    cp mnt/epoch.json mnt/arch.json
    committed arch
    holds 'd["arch"] == 12'
}

@test "patch" {
    require_cmd patch
    edit training
    printf -- '--- a\n+++ b\n@@ -1 +1 @@\n-12\n+13\n' >change
    patch -s mnt/epoch change
    holds 'd["epoch"] == 13 and set(d) == set(o)'
}

@test "rsync, in place and not" {
    require_cmd rsync
    edit training
    mkdir from
    floats 1 2 3 >from/module.body.0.bias
    rsync -I from/module.body.0.bias mnt/model/
    cmp from/* $BIAS
    floats 4 5 6 >from/module.body.0.bias
    rsync -I --inplace from/module.body.0.bias mnt/model/
    cmp from/* $BIAS
    floats 1 2 3 >from/module.body.0.bias
    rsync -I --inplace --no-whole-file from/module.body.0.bias mnt/model/
    changed_bias
}

@test "rsync -a of a whole tree, back and forth" {
    require_cmd rsync
    edit training
    rsync -a mnt/ tree/
    floats 1 2 3 >tree/model/module.body.0.bias
    touch -d tomorrow tree/model/module.body.0.bias # rsync compares whole seconds
    rsync -a tree/ mnt/
    [ "$("$PTHFS" status mnt | grep -c scratch)" -eq 0 ]
    changed_bias
}

@test "rsync -a --delete of a tree into an empty dict" {
    require_cmd rsync
    edit training
    rsync -a mnt/model mnt/other tree/
    mkdir mnt/copy
    rsync -a --delete tree/ mnt/copy/
    rsync -a --delete tree/other/ mnt/model/
    holds 'same(d["copy"]["other"]["b.weight"], o["other"]["b.weight"])' 'list(d["copy"]["model"]) == sorted(o["model"])' \
        'same(d["model"]["a.weight"], o["other"]["a.weight"]) and len(d["model"]) == 2'
}

@test "tar x over the mount, of what tar c read from it" {
    edit training
    tar -C mnt -cf all.tar model other epoch optimizer
    tar -C mnt -xf all.tar
    [ "$("$PTHFS" status mnt | grep -c scratch)" -eq 0 ]
    "$PTHFS" umount mnt
    holds 'differences(d, o) in (set(), {"(order)"})' 'tied(d["model"]["module.embed.weight"], d["model"]["module.head.weight"])'
}

@test "tar x, cp and rsync over sparse and quantized tensors and objects" {
    require_cmd rsync
    edit parts
    tar -C mnt -cf all.tar .
    tar -C mnt -xf all.tar
    cp -r mnt all
    cp -r all/. mnt/
    cp -r --remove-destination all/. mnt/
    rsync -aI all/ mnt/
    rsync -aI --inplace all/ mnt/
    [ "$("$PTHFS" status mnt | grep -c scratch)" -eq 0 ]
    run cp mnt/q/zero_point mnt/q/scale
    [[ $output == *"not supported"* ]]
    committed
    edit training
    tar -C mnt -cf all.tar args trainer
    tar -C mnt -xf all.tar
    committed
}

@test "tar x into an emptied directory ties what was tied" {
    edit training
    tar -C mnt -cf all.tar model
    rm -r mnt/model
    tar -C mnt -xf all.tar
    holds 'same(dict(d["model"]), dict(o["model"]))' 'tied(d["model"]["module.embed.weight"], d["model"]["module.head.weight"])' \
        'd["epoch"] == 12'
}

@test "tar from another mount adds a model" {
    edit training
    sample parallel p.pth
    mount_ckpt ./p.pth from
    mkdir mnt/new
    tar -C from -cf - . | tar -C mnt/new -xf -
    ORIGINAL=$BATS_FILE_TMPDIR/training.pth
    holds 'same(dict(d["new"]), dict(d["new"])) and len(d["new"]) == 10 and d["new"]["module.embed.weight"].shape == (5, 3)' \
        'tied(d["new"]["module.embed.weight"], d["new"]["module.head.weight"])'
}

@test "cp -a and rsync -aH tie what was tied, in a new dict and in one that is there" {
    require_cmd rsync
    edit training
    sample parallel p.pth
    mount_ckpt ./p.pth from
    ORIGINAL=$BATS_FILE_TMPDIR/training.pth
    cp -a from mnt/cp
    rsync -aH from/ mnt/rsync/
    cp -a from/. mnt/model/
    cp -a from/. mnt/rsync/
    rsync -aHI from/ mnt/cp/
    [ "$("$PTHFS" status mnt | grep -c scratch)" -eq 0 ]
    diff -r -x '*.meta' mnt/cp mnt/model
    holds 'all(tied(d[k]["module.embed.weight"], d[k]["module.head.weight"]) for k in ("cp", "rsync", "model"))' \
        'raw(d["cp"]["module.head.weight"]) == raw(d["model"]["module.head.weight"])' 'len(d["cp"]) == len(d["rsync"]) == 10'
}

@test "find -delete and find -exec mv" {
    edit training
    find mnt/optimizer -delete
    find mnt/other -type f ! -name '*.meta' -exec mv {} mnt/ \;
    holds '"optimizer" not in d and d["other"] == {}' 'same(d["a.weight"], o["other"]["a.weight"])'
}

@test "shutil.copytree, shutil.move and shutil.rmtree" {
    edit training
    python3 -c '
import shutil
shutil.copytree("mnt/other", "mnt/copied")
shutil.move("mnt/epoch", "mnt/copied/epoch")
shutil.rmtree("mnt/optimizer")'
    holds 'same(d["copied"]["a.weight"], o["other"]["a.weight"]) and d["copied"]["epoch"] == 12' \
        '"optimizer" not in d and "epoch" not in d'
}

@test "numpy.save, numpy.memmap and ndarray.tofile" {
    edit training
    "$TORCH" -c '
import numpy
numpy.save("'$BIAS'.npy", numpy.array([7, 2, 7], dtype="f4"))
numpy.memmap("'$BIAS'", dtype="f4", mode="r+")[0] = 1
with open("'$BIAS'", "r+b") as f:
    f.seek(8)
    numpy.float32(3).tofile(f)'
    changed_bias
}

@test "cmp, diff and cp of two mounts of the same file agree" {
    edit training
    mount_ckpt ./c.pth ro
    diff -r mnt ro
    floats 1 2 3 >$BIAS
    run diff -r mnt ro
    [ "$status" -eq 1 ]
    cp ro/model/module.body.0.bias $BIAS
    diff -r mnt ro
}
