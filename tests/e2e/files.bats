#!/usr/bin/env bats
# What ordinary programs make of the files: every tool sees plain files with the right bytes.
load common
# shellcheck disable=SC2012,SC2016

prepare() {
    require_fuse
    require_cmd jq
    mount_ckpt demo.pth mnt
    W=mnt/model/module.fc.weight # float32, [64, 32], tied to module.embed.weight
}

sum() {
    sha256sum <"$1" | cut -d ' ' -f 1
}

# sha256 of a tensor's bytes, as real torch computed it when the fixture was made.
expected() {
    jq -r --arg path "$1" '.entries[] | select(.path == $path) | .sha256' "$DATA/expect/demo.pth.json"
}

@test "the root lists the checkpoint's keys in their order, and nothing else" {
    [ "$(ls -U mnt | head -n 3 | xargs)" = "epoch arch model" ]
    [ "$(find mnt -mindepth 1 -name '.*' | wc -l)" -eq 0 ]
}

@test "every tensor has the bytes that torch has, and each a .meta" {
    n=0
    while read -r path want; do
        [ "$(sum "mnt/$path")" = "$want" ]
        [ -f "mnt/$path.meta" ]
        n=$((n + 1))
    done < <(jq -r '.entries[] | select(.kind == "tensor") | "\(.path) \(.sha256)"' \
        "$DATA/expect/demo.pth.json")
    [ "$n" -gt 20 ]
}

@test "values are text with one newline" {
    [ "$(od -An -tx1 mnt/epoch | xargs)" = "31 32 0a" ]
    [ "$(cat mnt/optimizer/param_groups/0/lr)" = 0.001 ]
    [ "$(cat mnt/optimizer/param_groups/0/betas)" = '[0.9, 0.999]' ]
}

@test "a .meta is one line of JSON" {
    [ "$(wc -l <"$W.meta")" -eq 1 ]
    [ "$(jq -c '[.dtype, .shape, .nbytes]' "$W.meta")" = '["float32",[64,32],8192]' ]
}

@test "sizes, blocks and links are right" {
    [ "$(stat -c '%s %b %h' "$W")" = "8192 16 2" ]
    [ "$(stat -c '%s %b %h' mnt/model/module.fc.bias)" = "256 1 1" ]
    [ "$(stat -c %s mnt/model/module.bn1.num_batches_tracked)" -eq 8 ]
}

@test "tied tensors are one inode with two names" {
    [ "$(stat -c %i "$W")" = "$(stat -c %i mnt/model/module.embed.weight)" ]
}

@test "du counts tied tensors once" {
    one=$(du --apparent-size -B1 -s mnt | cut -f 1)
    twice=$(du --apparent-size -B1 -l -s mnt | cut -f 1)
    [ $((twice - one)) -ge 8192 ]
}

@test "cp -r, cp -a and diff -r agree" {
    cp -r mnt plain
    diff -r mnt plain
    cp -a mnt linked
    diff -r mnt linked
    [ "$(stat -c %h linked/model/module.fc.weight)" -eq 2 ]
    chmod -R u+w plain linked
}

@test "a second mount of the same checkpoint compares equal" {
    mount_ckpt demo.pth other
    diff -r mnt other
}

@test "tar keeps tied tensors as links, and its contents are right" {
    tar cf model.tar -C mnt .
    tar tvf model.tar | grep -E 'link to .*module\.'
    mkdir out
    tar xf model.tar -C out
    diff -r mnt out
    chmod -R u+w out
}

@test "rsync copies everything and finds nothing to do the second time" {
    require_cmd rsync
    rsync -aH mnt/ copy/
    diff -r mnt copy
    [ -z "$(rsync -aHni mnt/ copy/)" ]
    chmod -R u+w copy
}

@test "find walks the whole tree, with the types that it reads from the listing" {
    [ "$(find mnt -type f -name '*.weight' | wc -l)" -ge 5 ]
    [ "$(find mnt -type d -name state)" = mnt/optimizer/state ]
    [ "$(find mnt ! -type f ! -type d | wc -l)" -eq 0 ]
}

@test "the same names come whether the listing is long or short, twice" {
    ls -1U mnt/optimizer/state >one
    ls -lU mnt/optimizer/state | tail -n +2 | awk '{ print $NF }' | cmp - one
    ls -1U mnt/optimizer/state | cmp - one
}

@test "od, cmp, head, tail -c and dd see the same bytes" {
    cat "$W" >w
    cmp w "$W"
    od -An -tx1 -v "$W" | cmp - <(od -An -tx1 -v w)
    cmp <(tail -c 100 "$W") <(tail -c 100 w)
    cmp <(head -c 4097 "$W") <(head -c 4097 w)
    cmp <(dd if="$W" bs=1 skip=5000 count=777 status=none) <(dd if=w bs=1 skip=5000 count=777 status=none)
    [ "$(dd if="$W" bs=4096 skip=2 status=none | wc -c)" -eq 0 ]
    [ "$(dd if="$W" bs=4096 skip=100 status=none | wc -c)" -eq 0 ]
}

@test "mmap reads the bytes that read reads" {
    require_python mmap
    "$PYTHON" - "$W" <<'PY'
import mmap, sys
with open(sys.argv[1], "rb") as f:
    for flags in (mmap.MAP_SHARED, mmap.MAP_PRIVATE):
        m = mmap.mmap(f.fileno(), 0, flags, mmap.PROT_READ)
        f.seek(0)
        assert m[:] == f.read() and len(m) == 8192
PY
}

@test "numpy maps KEY.npy with dtype, shape and values" {
    require_python numpy
    "$PYTHON" - "$W" <<'PY'
import sys, numpy as np
a = np.load(sys.argv[1] + ".npy", mmap_mode="r")
assert a.dtype == np.float32 and a.shape == (64, 32) and isinstance(a, np.memmap)
assert a.tobytes() == open(sys.argv[1], "rb").read()
PY
}

@test "getfattr tells what the tensor is" {
    require_cmd getfattr
    [ "$(getfattr --only-values -n user.dtype "$W")" = float32 ]
    [ "$(getfattr --only-values -n user.shape "$W")" = '[64, 32]' ]
    [ "$(getfattr --only-values -n user.nbytes "$W")" = 8192 ]
    run getfattr -n user.nothing "$W"
    [ "$status" -ne 0 ]
    getfattr -d "$W" >all
    for name in key dtype shape stride offset nbytes device requires_grad storage byteorder; do
        grep -q "^user\.$name=" all
    done
}

@test "cp --preserve=xattr carries them over" {
    require_cmd getfattr
    cp --preserve=xattr "$W" w 2>/dev/null || skip "no xattrs on $PWD"
    [ "$(getfattr --only-values -n user.dtype w)" = float32 ]
}

@test "the prefix of a parallel model is gone below module/, with the same inodes" {
    [ "$(stat -c %i mnt/model/module/fc.weight)" = "$(stat -c %i "$W")" ]
    cmp mnt/model/module/fc.weight "$W"
    cmp <(ls -1U mnt/model/module | sed 's/^/module./') <(ls -1U mnt/model)
}

@test "any prefix can be taken off and put on" {
    [ "$(stat -c %i mnt/model/.pthfs/strip/module/fc.weight)" = "$(stat -c %i "$W")" ]
    [ "$(stat -c %i mnt/model/.pthfs/add/net/net.module.fc.weight)" = "$(stat -c %i "$W")" ]
}

@test "hidden names answer and are not listed" {
    for name in .pthfs/info .pthfs/status .pthfs/globals .pthfs/log .pthfs/archive; do
        [ -e "mnt/$name" ]
    done
    [ -n "$(cat mnt/.pthfs/info)" ]
    [ -s "$W.npy" ]
    [ -n "$(cat mnt/optimizer/param_groups.json)" ]
    [ "$(find mnt -name '.pthfs' -o -name '*.npy' -o -name '*.json' -o -name module | wc -l)" -eq 0 ]
}

@test "the container's members are below .pthfs/archive" {
    require_cmd unzip
    cmp <(cat mnt/.pthfs/archive/data.pkl) <(unzip -p "$DATA/demo.pth" '*/data.pkl')
}

@test "a name that is not there is not there, again and again, also after it was looked for" {
    for _ in 1 2 3; do
        run cat mnt/model/nothing
        [[ $output == *"No such file"* ]]
    done
}

@test "everything that writes is refused with EROFS" {
    for cmd in "touch mnt/new" "rm mnt/epoch" "mkdir mnt/dir" "mv mnt/epoch mnt/e" \
        "ln mnt/epoch mnt/e" "chmod 777 mnt/epoch" "truncate -s 0 $W" "dd if=/dev/zero of=$W conv=notrunc"; do
        run $cmd
        [ "$status" -ne 0 ]
        [[ $output == *"Read-only file system"* ]]
    done
}

@test "df shows how large the tensors are, and that nothing is free" {
    read -r size avail < <(df -B1 --output=size,avail mnt | tail -n 1)
    [ "$size" -gt 50000 ]
    [ "$avail" -eq 0 ]
}

@test "many readers at once all read the same" {
    cat "$W" >w
    for _ in $(seq 16); do
        (for _ in $(seq 20); do cmp -s w "$W" || touch differs; done) &
    done
    wait
    [ ! -e differs ]
}

@test "many walkers at once all see the same" {
    find mnt -printf '%i %s %P\n' >want
    for _ in $(seq 8); do
        (find mnt -printf '%i %s %P\n' | cmp -s - want || touch differs) &
    done
    wait
    [ ! -e differs ]
}

@test "after the caches are dropped everything reads the same" {
    require_root
    [ -w /proc/sys/vm/drop_caches ] || need "no drop_caches"
    cp -r mnt copy
    echo 2 >/proc/sys/vm/drop_caches
    diff -r mnt copy
    chmod -R u+w copy
}

@test "prefixes that were made on demand come and go with the dentries" {
    require_root
    [ -w /proc/sys/vm/drop_caches ] || need "no drop_caches"
    for i in $(seq 20); do
        [ -e "mnt/model/.pthfs/add/p$i/p$i.module.fc.bias" ]
    done
    echo 2 >/proc/sys/vm/drop_caches
    cmp mnt/model/.pthfs/add/p1/p1.module.fc.bias mnt/model/module.fc.bias
}

@test "an open file can be read to its end after a lazy unmount" {
    exec 9<"$W"
    "$PTHFS" umount -l mnt
    [ "$(sum /dev/fd/9)" = "$(expected model/module.fc.weight)" ]
    exec 9<&-
}

@test "a file that is only read takes no memory of its size" {
    require_python numpy
    "$PTHFS" umount mnt
    "$PYTHON" - <<'PY'
import zipfile
# A checkpoint with one stored record of 256 MiB, by hand: {'w': tensor}.
pkl = (b"\x80\x02}q\x00X\x01\x00\x00\x00wq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02"
       b"((X\x07\x00\x00\x00storageq\x03ctorch\nFloatStorage\nq\x04X\x01\x00\x00\x000q\x05"
       b"X\x03\x00\x00\x00cpuq\x06J\x00\x00\x00\x04tq\x07QK\x00J\x00\x00\x00\x04\x85q\x08K\x01"
       b"\x85q\x09\x89ccollections\nOrderedDict\nq\x0a)Rq\x0btq\x0cRq\x0ds.")
with zipfile.ZipFile("big.pth", "w") as z:
    z.writestr("big/data.pkl", pkl)
    with z.open("big/data/0", "w", force_zip64=True) as f:
        for i in range(256):
            f.write(bytes([i]) * (1 << 20))
    z.writestr("big/version", "3\n")
PY
    mount_ckpt ./big.pth mnt
    [ "$(stat -c %s mnt/w)" -eq $((256 << 20)) ]
    cat mnt/w >/dev/null
    [ "$(tail -c 1 mnt/w | od -An -tu1 | xargs)" -eq 255 ]
    [[ $PTHFS == *san* ]] && skip "a sanitizer takes memory of its own"
    peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$(daemon_of mnt)/status")
    echo "peak: $peak KiB"
    [ "$peak" -le 16384 ]
}

@test "a broken tensor is EIO, is in the log once, and the others read" {
    "$PTHFS" umount mnt
    mount_ckpt bad-tensor-missing-record.pt mnt
    bad=$(awk -F '\t' '$1 == "bad-tensor-missing-record.pt" { sub("broken:", "", $2); print $2 }' \
        "$DATA/hostile.tsv")
    for _ in 1 2 3; do
        run cat "mnt/$bad"
        [[ $output == *"Input/output error"* ]]
    done
    # in the log with its name, once, said once
    run ! grep "$bad: $bad: " mnt/.pthfs/log
    [ "$(grep -c "^[0-9:]* $bad: " mnt/.pthfs/log)" -eq 1 ]
    for f in mnt/*; do
        [ "$f" = "mnt/$bad" ] || cat "$f" >/dev/null
    done
}

@test "a list that expands without end is too large for a file, takes little memory, and the log says why" {
    "$PTHFS" umount mnt
    mount_ckpt bad-pickle-billion-laughs.pt mnt
    for f in laughs laughs.json; do
        run cat "mnt/$f"
        [[ $output == *"File too large"* ]]
        grep " $f: .*longer than" mnt/.pthfs/log
    done
    [[ $PTHFS == *san* ]] && skip "a sanitizer takes memory of its own"
    [ "$(awk '/VmHWM/ { print $2 }' "/proc/$(daemon_of mnt)/status")" -le 98304 ]
}

@test "a loop over prefixes does not fill the memory" {
    { printf '\x80\x02}' # 20,000 tensors without bytes
      seq 20000 | LC_ALL=C awk '{ printf "U\007k%06dctorch._utils\n_rebuild_meta_tensor_no_storage\n", $1
          printf "(ctorch\nfloat32\n))\x89tRs" }'
      printf .; } >many.pkl
    mount_ckpt ./many.pkl many
    for i in $(seq 120); do
        [ -e "many/.pthfs/add/p$i" ] || break
    done
    [ "$i" -gt 80 ] && [ "$i" -lt 120 ]
    run ls "many/.pthfs/add/p$i"
    [[ $output == *"File too large"* ]]
    grep "too many prefixes" many/.pthfs/log
    ls many/.pthfs/add/p1/p1.k000001
    [[ $PTHFS == *san* ]] && skip "a sanitizer takes memory of its own"
    [ "$(awk '/^VmHWM/ { print $2 }' "/proc/$(daemon_of many)/status")" -le 196608 ]
}

@test "ls asks for an ACL once, not for every file: other namespaces are not supported" {
    require_cmd getfattr
    run getfattr --only-values -n system.posix_acl_access mnt/epoch
    [ "$status" -ne 0 ]
    [[ $output == *"not supported"* ]]
    [ "$(getfattr --only-values -n user.type mnt/epoch)" = int ]
}
