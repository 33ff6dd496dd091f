#!/usr/bin/env bats
# What keeps the only copy of a checkpoint safe: locks, foreign hands, full disks, signals, crashes.
load common
load judge
# shellcheck disable=SC2012,SC2016,SC2154

prepare() {
    require_fuse
    cp "$DATA/demo.pth" c.pth
    J=c.pth.pthfs-journal
    W=mnt/model/module.conv2.weight
}

rw() {
    "$PTHFS" -q -o rw "$@" c.pth mnt
}

# What the checkpoint holds, by a process that knows nothing of the mount.
epoch() {
    "$PTHFS" cat "${1:-c.pth}" epoch
}

# kill9: the daemon is gone, and so is the mount.
kill9() {
    local pid
    pid=$(daemon_of c.pth)
    kill -9 "$pid"
    wait_until ended "$pid"
    "$PTHFS" umount mnt >/dev/null 2>&1 || true
    not_mounted mnt
}

# Edits that a crash left behind.
leave_edits() {
    rw
    echo 13 >mnt/epoch
    printf 'durable' | dd of="$W" bs=7 conv=notrunc,fsync status=none
    kill9
    [ -s $J ]
}

# --- one at a time -----------------------------------------------------------------------------------

@test "a mount right after fusermount3 -u waits for the commit, and shows it" {
    mkdir mnt
    for i in 1 2 3 4 5; do
        rw
        printf '%s\n' "$i" >mnt/epoch
        fusermount3 -u mnt
        rw
        [ "$(cat mnt/epoch)" = "$i" ]
        "$PTHFS" umount mnt
    done
}

@test "a checkpoint is mounted rw once, also by its hard link and through a symlink" {
    ln c.pth hard.pth
    ln -s c.pth soft.pth
    mkdir sub
    ln -s ../c.pth sub/far.pth
    rw
    for name in c.pth hard.pth soft.pth sub/far.pth; do
        fails 32 "$name" "$PTHFS" -o rw "$name" other
        [ ! -e other ]
    done
    "$PTHFS" umount mnt
    "$PTHFS" -q -o rw soft.pth mnt
    fails 32 "c.pth" "$PTHFS" -o rw c.pth other
}

@test "read-only mounts beside it are free, and show the file as it is" {
    rw
    echo 13 >mnt/epoch
    "$PTHFS" -q c.pth a
    "$PTHFS" -q c.pth b
    [ "$(cat a/epoch b/epoch | xargs)" = "12 12" ]
    "$PTHFS" umount a
    "$PTHFS" commit mnt
    "$PTHFS" -q c.pth a
    [ "$(cat a/epoch mnt/epoch | xargs)" = "13 13" ]
    cat b/model/module.conv2.weight >/dev/null || [ -s b/.pthfs/log ]
}

@test "commands that write refuse while somebody has it mounted rw" {
    rw
    fails 2 c.pth "$PTHFS" set c.pth epoch 14
    fails 2 c.pth "$PTHFS" rm c.pth arch
    fails 2 c.pth "$PTHFS" rename c.pth --strip module.
    "$PTHFS" umount mnt
    cmp c.pth "$DATA/demo.pth"
}

# --- somebody else was there -----------------------------------------------------------------------------

# foreign CMD: what somebody else does to the file; then commit must refuse, leave it, keep the edits.
foreign() {
    rw
    echo 13 >mnt/epoch
    eval "$1"
    if [ -e c.pth ]; then cp -p c.pth theirs; fi
    fails 2 "$PWD/c.pth: $2" "$PTHFS" commit mnt
    [[ $stderr == *"the edits stay in its journal: put the old file back"*"or drop them with pthfs revert"* ]]
    [ -s $J ]
    if [ -e theirs ]; then cmp c.pth theirs; else [ ! -e c.pth ]; fi
    [ "$(cat mnt/epoch)" = 13 ]
    run "$PTHFS" umount mnt
    [ "$status" -eq 2 ]
    [[ $output == *"$2"*"the mount is still there"* ]]
    kill "$(daemon_of c.pth)"
    wait_until not_mounted mnt
    if [ -e theirs ]; then cmp c.pth theirs; else [ ! -e c.pth ]; fi
    [ -s $J ]
}

@test "a checkpoint that was replaced is not overwritten" {
    foreign 'cp $DATA/good-values.pt new; mv new c.pth' "was changed by somebody else, another file has taken its place"
}

@test "a checkpoint that was replaced by a copy of itself is not overwritten" {
    foreign 'cp c.pth new; mv new c.pth' "was changed by somebody else, another file has taken its place"
}

@test "a checkpoint that was appended to is not overwritten" {
    foreign 'echo more >>c.pth' "was changed by somebody else, its size has changed"
}

@test "a checkpoint that was truncated is not overwritten" {
    foreign 'truncate -s -100 c.pth' "was changed by somebody else, its size has changed"
}

@test "a checkpoint that was written into is not overwritten" {
    foreign 'printf x | dd of=c.pth bs=1 seek=200 conv=notrunc status=none' "was changed by somebody else, it has been written to"
}

@test "a checkpoint that was touched is not overwritten" {
    foreign 'touch c.pth' "was changed by somebody else, it has been written to"
}

@test "a checkpoint that was removed does not come back by itself" {
    foreign 'rm c.pth' "is gone since it was opened"
}

@test "a checkpoint whose directory was moved is found, or refused, never lost" {
    mkdir dir
    mv c.pth dir/
    "$PTHFS" -q -o rw dir/c.pth mnt
    echo 13 >mnt/epoch
    mv dir elsewhere
    run "$PTHFS" umount mnt
    [ "$(epoch elsewhere/c.pth)" = 13 ] || [ -s elsewhere/$J ]
}

# --- what is kept ------------------------------------------------------------------------------------------

@test "a symlink stays one, and what it leads to is edited" {
    mkdir store
    mv c.pth store/blob
    ln -s store/blob c.pth
    rw
    echo 13 >mnt/epoch
    sync mnt/epoch
    [ -e store/blob.pthfs-journal ]
    "$PTHFS" umount mnt
    [ "$(readlink c.pth)" = store/blob ]
    [ "$(epoch store/blob)" = 13 ]
    [ "$(ls -A store)" = blob ]
}

@test "mode, owner and attributes are kept, and a hard link keeps the old content" {
    require_cmd setfattr getfattr
    ln c.pth old.pth
    chmod 640 c.pth
    [ "$(id -u)" -ne 0 ] || chown 1234:1235 c.pth
    setfattr -n user.note -v kept c.pth || need "no user attributes here"
    before=$(stat -c '%a %u %g' c.pth)
    rw
    echo 13 >mnt/epoch
    "$PTHFS" umount mnt
    [ "$(stat -c '%a %u %g' c.pth)" = "$before" ]
    [ "$(getfattr --only-values -n user.note c.pth)" = kept ]
    [ "$(epoch old.pth)" = 12 ]
    [ "$(epoch c.pth)" = 13 ]
}

@test "in place, the file is the same one and its hard link has the edit too" {
    ln c.pth old.pth
    rw -o inplace
    echo 13 >mnt/epoch
    "$PTHFS" umount mnt
    [ c.pth -ef old.pth ]
    [ "$(epoch old.pth)" = 13 ]
    [ ! -e $J ]
}

# --- where nothing can be written -----------------------------------------------------------------------------

@test "a read-only directory is found at mount" {
    require_root
    require_cmd setpriv
    mkdir dir
    cp c.pth dir/
    chmod 666 dir/c.pth
    chmod 555 dir
    run setpriv --inh-caps=-dac_override --bounding-set=-dac_override "$PTHFS" -o rw dir/c.pth mnt
    [ "$status" -eq 32 ]
    [[ $output == *dir* && $output == *ermission* ]]
    [ "$(ls -A dir)" = c.pth ]
}

@test "a read-only file system is found at mount" {
    require_root
    mkdir fs
    mount -t tmpfs none fs || need "no tmpfs"
    cp c.pth fs/
    mount -o remount,ro fs
    run "$PTHFS" -o rw fs/c.pth mnt
    umount fs
    [ "$status" -eq 32 ]
    [[ $output == *"ead-only"* ]]
}

# small_disk KIB: mounts fs with room for the checkpoint and that much more.
small_disk() {
    require_root
    mkdir fs
    mount -t tmpfs -o size=$((($(stat -c %s c.pth) + 4095) / 4096 * 4 + $1))k none fs || need "no tmpfs"
    cp c.pth fs/
}

after_small_disk() {
    "$PTHFS" umount --discard mnt >/dev/null 2>&1 || true
    umount fs
}

@test "a full disk is found when the edit is written or synced, and nothing is lost" {
    small_disk 32
    "$PTHFS" -q -o rw fs/c.pth mnt
    echo 13 >mnt/epoch
    sync mnt/epoch
    before=$(cat mnt/optimizer/state/4/exp_avg | md5sum)
    full=
    for i in 0 2 4 6 8 9; do
        for part in exp_avg exp_avg_sq; do
            tr '\0-\377' 'A' <"mnt/optimizer/state/$i/$part" >new
            dd if=new of="mnt/optimizer/state/$i/$part" conv=notrunc,fsync status=none 2>err || full=1
        done
    done
    [ "$full" = 1 ]
    grep -q "No space left" err
    cmp fs/c.pth c.pth
    [ "$(epoch fs/c.pth)" = 12 ]
    run "$PTHFS" umount mnt
    [ "$status" -eq 2 ]
    cmp fs/c.pth c.pth
    after_small_disk
}

@test "a copy that filled the disk gives it back when it is removed, and the commit works" {
    small_disk 3000
    "$PTHFS" -q -o rw fs/c.pth mnt
    echo 13 >mnt/epoch
    run dd if=/dev/zero of=mnt/big bs=100k count=100 status=none
    [[ $output == *"No space left"* ]]
    run sync mnt/epoch
    [ "$status" -ne 0 ]
    rm mnt/big
    wait_until sync mnt/epoch # the kernel tells of the end of dd in its own time
    [ "$(stat -c %s fs/c.pth.pthfs-journal)" -lt 10000 ]
    [ "$(cat mnt/epoch)" = 13 ]
    "$PTHFS" umount mnt
    [ "$(epoch fs/c.pth)" = 13 ]
    umount fs
}

@test "a disk that is full at the commit loses nothing, and once there is room the commit works" {
    small_disk 100
    "$PTHFS" -q -o rw fs/c.pth mnt
    echo 13 >mnt/epoch
    sync mnt/epoch
    run "$PTHFS" commit mnt
    [ "$status" -eq 2 ]
    [[ $output == *"No space left"* ]]
    cmp fs/c.pth c.pth
    [ "$(cat mnt/epoch)" = 13 ]
    [ "$(ls -A fs | wc -l)" -eq 2 ]
    mount -o remount,size=10m fs
    "$PTHFS" commit mnt
    [ "$(epoch fs/c.pth)" = 13 ]
    "$PTHFS" umount mnt
    [ "$(ls -A fs)" = c.pth ]
    umount fs
}

# --- ends --------------------------------------------------------------------------------------------------------

@test "a killed daemon's edits are taken up by the next rw mount, which says so" {
    leave_edits
    run --separate-stderr "$PTHFS" -o rw c.pth mnt
    [ "$status" -eq 0 ]
    [[ $stderr == *"2 edits"* ]]
    [ "$(cat mnt/epoch)" = 13 ]
    [ "$(head -c 7 $W)" = durable ]
    "$PTHFS" umount mnt
    [ "$(epoch)" = 13 ]
    [ ! -e $J ]
}

@test "edits of every kind are taken up as they were" {
    rw
    mv mnt/model/module/* mnt/model/
    rm -r mnt/lr_scheduler mnt/args
    mkdir mnt/new
    ln mnt/model/fc.bias mnt/new/tied
    echo '{"a": [1, 2.5, null]}' >mnt/new/config.json
    head -c 32 "$BATS_TEST_FILENAME" >mnt/new/bytes
    echo '{"dtype": "uint8", "shape": [4, 8]}' >mnt/new/bytes.meta
    echo '{"dtype": "float32", "shape": [32]}' >mnt/model/conv2.bias.meta
    echo 0.5 >mnt/optimizer/param_groups/0/lr
    printf 'bytes' | dd of=mnt/model/fc.weight bs=1 seek=100 conv=notrunc status=none
    cp mnt/projection keep
    rm mnt/projection
    cp keep mnt/projection
    mv mnt/arch mnt/architecture
    echo vgg >mnt/arch
    sync mnt/epoch
    sync mnt
    cp -r mnt before
    "$PTHFS" status mnt | tail -n +2 >status.before || true
    kill9
    rw
    diff -r before mnt
    "$PTHFS" status mnt | tail -n +2 | diff status.before -
    "$PTHFS" umount mnt
    "$PTHFS" -q c.pth mnt
    diff -r before mnt
}

@test "what rm -r leaves to the other name of a dict is there after a crash, too" {
    require_torch
    sample twice
    rw
    rm -r mnt/model
    sync mnt/epoch
    kill9
    rw
    [ "$(cat mnt/state_dict/sub/step)" = 5 ]
    holds 'list(d) == ["state_dict", "epoch"]' 'list(d["state_dict"]) == list(o["model"])'
}

@test "a value that was written anew after its name was moved away has its type after a crash too" {
    require_cmd getfattr
    cp "$DATA/good-values.pt" c.pth
    rw
    cd mnt
    for name in *; do
        [ -f "$name" ] && [[ $name != *~* ]] || continue
        mv "$name" "old $name"
        cp "old $name" "$name" 2>/dev/null || true
    done
    cd ..
    sync mnt
    getfattr -n user.type mnt/* >before 2>/dev/null || true
    kill9
    rw
    getfattr -n user.type mnt/* >after 2>/dev/null || true
    diff before after
    [ "$(grep -c user.type before)" -gt 40 ]
}

@test "what was not synced is gone or there, but never half of it" {
    rw
    for i in $(seq 20); do echo "$i" >mnt/epoch; done
    cp mnt/projection mnt/projection2.tmp
    kill9
    rw
    [[ $(cat mnt/epoch) =~ ^(12|[0-9]|1[0-9]|20)$ ]]
    [ ! -e mnt/projection2.tmp ]
}

@test "two signals at once, and a signal during umount" {
    for first in TERM INT; do
        cp "$DATA/demo.pth" c.pth
        rw
        echo 13 >mnt/epoch
        pid=$(daemon_of c.pth)
        kill -s $first "$pid"
        kill -s INT "$pid" 2>/dev/null || true
        wait_until ended "$pid"
        [ "$(epoch)" = 13 ]
    done
    cp "$DATA/demo.pth" c.pth
    rw
    echo 14 >mnt/epoch
    pid=$(daemon_of c.pth)
    "$PTHFS" umount mnt &
    umount=$!
    kill "$pid" 2>/dev/null || true
    wait $umount || true
    wait_until ended "$pid"
    [ "$(epoch)" = 14 ]
    [ ! -e $J ]
}

# --- the journal -----------------------------------------------------------------------------------------------------

@test "the journal is for its owner only, also with an open umask" {
    umask 0
    rw
    echo 13 >mnt/epoch
    sync mnt
    [ "$(stat -c %a $J)" = 600 ]
}

@test "a journal of another file is refused, and stays" {
    leave_edits
    cp "$DATA/good-values.pt" other.pth
    mv $J other.pth.pthfs-journal
    cp other.pth.pthfs-journal kept
    fails 32 "put the old file back to take them up, or drop them with pthfs revert" "$PTHFS" -o rw other.pth mnt
    cmp kept other.pth.pthfs-journal
    cmp other.pth "$DATA/good-values.pt"
    rw
    [ "$(cat mnt/epoch)" = 12 ]
}

@test "a journal of the file before it was changed is refused" {
    leave_edits
    echo more >>c.pth
    cp c.pth theirs
    fails 32 "pthfs revert" "$PTHFS" -o rw c.pth mnt
    cmp c.pth theirs
    [ -s $J ]
    run "$PTHFS" status c.pth
    [ "$status" -ne 0 ]
}

@test "a damaged tail is cut off in words, and what is before it is taken up" {
    leave_edits
    printf 'garbage behind the last frame' >>$J
    run --separate-stderr "$PTHFS" -o rw c.pth mnt
    [ "$status" -eq 0 ]
    [[ $stderr == *"29 "* ]]
    [ "$(cat mnt/epoch)" = 13 ]
    [ "$(head -c 7 $W)" = durable ]
}

@test "a journal whose last frame is cut is taken up as far as it goes" {
    leave_edits
    truncate -s -3 $J
    run --separate-stderr "$PTHFS" -o rw c.pth mnt
    [ "$status" -eq 0 ]
    [[ $(cat mnt/epoch) == 1[23] ]]
}

@test "a journal that is no journal is refused, and stays" {
    head -c 5000 /dev/urandom >$J
    cp $J kept
    fails 32 $J "$PTHFS" -o rw c.pth mnt
    cmp kept $J
    cmp c.pth "$DATA/demo.pth"
    rm $J
    ln -s /etc/passwd $J
    fails 32 $J "$PTHFS" -o rw c.pth mnt
}

@test "an empty journal is nothing" {
    : >$J
    rw
    [ "$(cat mnt/epoch)" = 12 ]
    echo 13 >mnt/epoch
    "$PTHFS" umount mnt
    [ "$(epoch)" = 13 ]
}

@test "a read-only mount writes nothing, also beside edits that wait" {
    require_cmd strace
    leave_edits
    before=$(stat -c '%i %s %Y %Z' c.pth $J; ls -A)
    # no leak is looked for under ptrace
    ASAN_OPTIONS=detect_leaks=0:$ASAN_OPTIONS strace -f -o trace -e trace=openat,open,creat,unlink,unlinkat,rename,renameat2,write,pwrite64,ftruncate,fsync \
        "$PTHFS" -f -q c.pth mnt 3>&- &
    wait_until is_mounted mnt
    [ "$(cat mnt/epoch)" = 12 ]
    cat mnt/.pthfs/log mnt/.pthfs/info >/dev/null
    umount mnt || "$PTHFS" umount mnt
    wait
    [ "$(stat -c '%i %s %Y %Z' c.pth $J; ls -A | grep -v '^trace$')" = "$before" ]
    run grep -E 'O_(WRONLY|RDWR|CREAT|TRUNC)|unlink|rename|ftruncate|fsync' trace
    [ -z "$(grep -v -e /dev/ -e /proc/ -e /sys/ -e sanitizer <<<"$output")" ]
}

# --- commands --------------------------------------------------------------------------------------------------------

@test "commit, more edits, commit, more edits, umount" {
    rw
    for i in 13 14 15; do
        echo $i >mnt/epoch
        mv mnt/model/module/* mnt/model/ 2>/dev/null || true
        "$PTHFS" commit mnt
        [ "$(epoch)" = $i ]
        printf "step$i" | dd of=mnt/model/fc.weight bs=1 seek=$i conv=notrunc status=none
        rm -rf mnt/new
        mkdir mnt/new
        ln mnt/model/fc.bias mnt/new/bias
    done
    cp -r mnt before
    "$PTHFS" umount mnt
    "$PTHFS" -q c.pth mnt
    diff -r before mnt
}

@test "programs write, rename and read while commits go on, and nothing is lost" {
    rw
    local jobs=() i
    for i in 0 1 2 3; do
        (
            for n in $(seq 15); do
                printf "$i-%03d" "$n" | dd of="mnt/optimizer/state/$i/exp_avg" conv=notrunc status=none || exit 1
                mv "mnt/optimizer/state/$i/exp_avg_sq" "mnt/optimizer/state/$i/sq$n" || exit 1
                cat mnt/model/module.fc.weight >/dev/null || exit 1
                mv "mnt/optimizer/state/$i/sq$n" "mnt/optimizer/state/$i/exp_avg_sq" || exit 1
                [ "$i" -ne 0 ] || echo "$n" >mnt/optimizer/param_groups/0/lr
            done
        ) 3>&- &
        jobs+=($!)
    done
    for _ in 1 2 3 4 5 6; do
        "$PTHFS" commit mnt
        "$PTHFS" ls c.pth >/dev/null
    done
    for i in "${jobs[@]}"; do wait "$i"; done
    [ ! -s mnt/.pthfs/log ]
    "$PTHFS" umount mnt
    for i in 0 1 2 3; do [ "$("$PTHFS" cat c.pth "optimizer/state/$i/exp_avg" | head -c 5)" = "$i-015" ]; done
    [ "$("$PTHFS" cat c.pth optimizer/param_groups/0/lr)" = 15.0 ]
    "$PTHFS" ls c.pth | cut -f 1 | diff - <("$PTHFS" ls "$DATA/demo.pth" | cut -f 1)
}

@test "revert after a commit goes back to the commit" {
    rw
    echo 13 >mnt/epoch
    mv mnt/model mnt/net
    "$PTHFS" commit mnt
    echo 14 >mnt/epoch
    rm -r mnt/net
    "$PTHFS" revert mnt
    [ "$(cat mnt/epoch)" = 13 ]
    [ -s mnt/net/module.conv2.weight ]
    "$PTHFS" umount mnt
    [ "$(epoch)" = 13 ]
}

@test "the control files commit and revert" {
    rw
    echo 13 >mnt/epoch
    echo 1 >mnt/.pthfs/revert
    [ "$(cat mnt/epoch)" = 12 ]
    echo 14 >mnt/epoch
    echo 1 >mnt/.pthfs/commit
    grep -q 'committed 1 edit' mnt/.pthfs/commit
    [ "$(epoch)" = 14 ]
    grep -q ^clean mnt/.pthfs/status
}

@test "status, commit, revert and recover of a file" {
    require_cmd jq
    run "$PTHFS" status c.pth
    [ "$status" -eq 0 ]
    [[ $output == clean* ]]
    leave_edits
    run "$PTHFS" status c.pth
    [ "$status" -eq 1 ]
    [[ $output == dirty*"changed epoch"*"changed model/module.conv2.weight (7 B)"* ]]
    run "$PTHFS" status --json c.pth
    [ "$status" -eq 1 ]
    [ "$(jq -r .state <<<"$output")" = dirty ]
    [ "$(jq -c '[.edits[] | .name]' <<<"$output")" = '["epoch","model/module.conv2.weight"]' ]
    cp $J left
    run "$PTHFS" commit --dry-run c.pth
    [ "$status" -eq 0 ]
    cmp $J left
    cmp c.pth "$DATA/demo.pth"
    "$PTHFS" commit c.pth
    [ "$(epoch)" = 13 ]
    [ ! -e $J ]
    "$PTHFS" status c.pth
    cp "$DATA/demo.pth" c.pth
    leave_edits
    "$PTHFS" revert c.pth
    [ ! -e $J ]
    cmp c.pth "$DATA/demo.pth"
    "$PTHFS" recover c.pth
    cmp c.pth "$DATA/demo.pth"
}

@test "commands on what is not there end with 2" {
    for cmd in status commit revert recover umount; do
        fails 2 nothing "$PTHFS" $cmd nothing.pth
    done
}

@test "commit --dry-run says how many bytes, and writes none" {
    rw
    echo 13 >mnt/epoch
    mv mnt/arch mnt/name
    sync mnt
    before=$(stat -c '%i %s %Y' c.pth $J)
    run "$PTHFS" commit --dry-run mnt
    [ "$status" -eq 0 ]
    [[ $output == *"2 edits"*B* ]]
    [[ $output == *" by copying "* || $output == *" by cloning and patching "* ]]
    [ "$(stat -c '%i %s %Y' c.pth $J)" = "$before" ]
    "$PTHFS" umount mnt
}

@test "a checkpoint below its own mount point is refused" {
    mkdir -p dir/deep
    cp c.pth dir/deep/
    fails 32 "below the mount point" "$PTHFS" -o rw,nonempty dir/deep/c.pth dir
    ln -s dir/deep/c.pth soft.pth
    fails 32 "below the mount point" "$PTHFS" -o rw,nonempty soft.pth dir
    [ "$(ls -A dir/deep)" = c.pth ]
}
