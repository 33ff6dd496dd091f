#!/usr/bin/env bats
# A mount with -o rw, as the kernel and its users meet it: every way to write into a file, what is
# refused and how that is said, and every way in which such a mount ends.
load common
# shellcheck disable=SC2012,SC2016

prepare() {
    require_fuse
    cp "$DATA/demo.pth" .
    W=mnt/model/module.conv2.weight # float32, 18432 bytes: more than one page
    SIZE=18432
}

mount_rw() {
    mount_ckpt ./demo.pth mnt -o rw "$@"
}

# What the checkpoint holds, by a process that knows nothing of the mount.
committed() {
    "$PTHFS" cat demo.pth "$1"
}

# random N: that many bytes which are no NaN, the same at each call.
random() {
    awk -v n="$1" 'BEGIN { srand(7); for (i = 0; i < n; i++) printf "%c", 32 + int(rand() * 80) }'
}

# --- what is shown -------------------------------------------------------------------------------

@test "everything is writable by the owner, and the table of mounts says rw" {
    chmod 0640 demo.pth
    mount_rw
    [ "$(stat -c %a mnt/epoch mnt/model | xargs)" = "640 750" ]
    grep -E "^$PWD/demo.pth $PWD/mnt fuse.pthfs rw," /proc/mounts
}

@test "a checkpoint that its owner may not write is shown as writable all the same" {
    chmod 0444 demo.pth
    mount_rw
    [ "$(stat -c %a mnt/epoch mnt/model | xargs)" = "644 755" ]
}

@test "there is as much room as beside the checkpoint" {
    mount_rw
    [ "$(df --output=avail -B1M mnt | tail -n 1)" -gt 0 ]
    [ "$(df --output=avail -B1G mnt | tail -n 1)" -eq "$(df --output=avail -B1G . | tail -n 1)" ]
}

@test "the time of an edited file is that of the edit, the others keep the checkpoint's" {
    touch -d 2020-02-02 demo.pth
    mount_rw
    echo 13 >mnt/epoch
    [ "$(stat -c %Y mnt/epoch)" -gt "$(($(date +%s) - 60))" ]
    [ "$(stat -c %Y mnt/arch)" -eq "$(date -d 2020-02-02 +%s)" ]
}

@test "without rw nothing is writable" {
    mount_ckpt ./demo.pth mnt
    for cmd in 'echo 1 >mnt/epoch' 'rm mnt/epoch' 'mkdir mnt/new' 'touch mnt/epoch' \
        'mv mnt/epoch mnt/b' 'truncate -s 0 mnt/epoch'; do
        run sh -c "$cmd"
        [ "$status" -ne 0 ]
        [[ $output == *"Read-only file system"* ]]
    done
}

# --- bytes ---------------------------------------------------------------------------------------

@test "bytes anywhere in a tensor are seen at once, and are in the checkpoint after the unmount" {
    mount_rw
    cp "$W" want
    for at in 0 1 4095 4097 12345 18425; do
        printf 'wXyZ012' | tee >(dd of=want bs=1 seek=$at conv=notrunc status=none) |
            dd of="$W" bs=1 seek=$at conv=notrunc status=none
        sleep 0.05
        cmp "$W" want
    done
    "$PTHFS" umount mnt
    cmp want <(committed model/module.conv2.weight)
}

@test "a write through one name of a tied tensor is seen through the other and through a view" {
    mount_rw
    cat mnt/model/module.embed.weight mnt/model/module/embed.weight >/dev/null
    printf 'tied' | dd of=mnt/model/module.fc.weight bs=1 seek=4094 conv=notrunc status=none
    cmp mnt/model/module.fc.weight mnt/model/module.embed.weight
    cmp mnt/model/module.fc.weight mnt/model/module/embed.weight
    [ "$(dd if=mnt/model/module/embed.weight bs=1 skip=4094 count=4 status=none)" = tied ]
}

@test "cp replaces a tensor when the size is right" {
    mount_rw
    random "$SIZE" >new
    cp new "$W"
    cmp new "$W"
    "$PTHFS" umount mnt
    cmp new <(committed model/module.conv2.weight)
}

@test "a shell's redirection replaces it too, and leaves nothing in the log" {
    mount_rw
    random "$SIZE" >new
    cat new >"$W"
    cmp new "$W"
    [ ! -s mnt/.pthfs/log ]
}

@test "a wrong size is an error at close, the old content is back and the log names the sizes" {
    mount_rw
    cp "$W" old
    for n in 0 1 18431 18433 40000; do
        random "$n" >new
        run cp new "$W"
        [ "$status" -ne 0 ]
        [[ $output == *"Invalid argument"* || $output == *"File too large"* ]]
        cmp old "$W"
        [ "$(stat -c %s "$W")" -eq "$SIZE" ]
    done
    grep module.conv2.weight mnt/.pthfs/log | grep -q 18432
    "$PTHFS" umount mnt
    cmp old <(committed model/module.conv2.weight)
    cmp demo.pth "$DATA/demo.pth"
}

# The shell does not look at the error of close(2): the log is where it can be found.
@test "emptying a tensor is refused, and the log says so" {
    mount_rw
    cp "$W" old
    : >"$W"
    cmp old "$W"
    wait_until grep -q module.conv2.weight mnt/.pthfs/log
    [ "$(grep -c module.conv2.weight mnt/.pthfs/log)" -eq 1 ]
}

@test "a write past the end is File too large" {
    mount_rw
    cp "$W" old
    run dd if=/dev/zero of="$W" bs=1 seek="$SIZE" count=1 conv=notrunc
    [ "$status" -ne 0 ]
    [[ $output == *"File too large"* ]]
    run sh -c "echo more >>$W"
    [ "$status" -ne 0 ]
    cmp old "$W"
    grep -q module.conv2.weight mnt/.pthfs/log
}

@test "truncate to another size is refused, to its own it changes nothing" {
    mount_rw
    cp "$W" old
    run truncate -s 100 "$W"
    [ "$status" -ne 0 ]
    cmp old "$W"
    truncate -s "$SIZE" "$W"
    cmp old "$W"
}

@test "two handles at once see each other's bytes" {
    mount_rw
    exec 8<>"$W"
    exec 9<"$W"
    printf 'first' >&8
    [ "$(head -c 5 <&9)" = first ]
    exec 8>&- 9<&-
}

@test "a value is replaced as text, and nonsense is refused with the old one back" {
    mount_rw
    echo 13 >mnt/epoch
    [ "$(cat mnt/epoch)" = 13 ]
    run cp /etc/passwd mnt/epoch
    [ "$status" -ne 0 ]
    [[ $output == *"Invalid argument"* ]]
    [ "$(cat mnt/epoch)" = 13 ]
    grep -q epoch mnt/.pthfs/log
    "$PTHFS" umount mnt
    [ "$(committed epoch)" = 13 ]
}

@test "fsync of a file and of a directory puts edits into the journal" {
    mount_rw
    printf 'durable' | dd of="$W" bs=7 conv=notrunc,fsync status=none
    sync mnt/model
    grep -qa durable demo.pth.pthfs-journal
}

# --- mappings --------------------------------------------------------------------------------------

# FILE FLUSH SECONDS: maps the file, stores into each page, and then sleeps.
STORE='
import mmap, sys, time
f = open(sys.argv[1], "r+b")
m = mmap.mmap(f.fileno(), 0)
for at in range(0, len(m) - 4, 4096):
    m[at:at + 4] = b"page"
if sys.argv[2] == "flush":
    m.flush()
open("stored", "w")
time.sleep(float(sys.argv[3]))'

expect_stored() {
    local at
    for at in 0 4096 8192 12288 16384; do
        [ "$(dd bs=1 skip=$at count=4 status=none <"$1")" = page ]
    done
}

@test "stores into a mapping are in the file" {
    require_python mmap
    mount_rw
    "$PYTHON" -c "$STORE" "$W" flush 0
    expect_stored "$W"
    "$PTHFS" umount mnt
    committed model/module.conv2.weight >got
    expect_stored got
}

@test "stores into a mapping that was never flushed are in the checkpoint after an unmount" {
    require_python mmap
    mount_rw
    "$PYTHON" -c "$STORE" "$W" no 0
    "$PTHFS" umount mnt
    committed model/module.conv2.weight >got
    expect_stored got
}

@test "stores into a mapping that is still there are in the checkpoint after SIGTERM" {
    require_python mmap
    for more in "" -s; do
        cp "$DATA/demo.pth" .
        rm -f stored
        mount_rw $more
        pid=$(daemon_of mnt)
        "$PYTHON" -c "$STORE" "$W" no 60 3>&- &
        writer=$!
        wait_until [ -e stored ]
        kill "$pid"
        wait_until ended "$pid"
        kill "$writer"
        wait "$writer" || true
        committed model/module.conv2.weight >got
        expect_stored got
    done
}

@test "a mapping sees what is written into the file" {
    require_python mmap
    mount_rw
    run "$PYTHON" -c '
import mmap, os, sys
f = open(sys.argv[1], "r+b"); g = open(sys.argv[1], "r+b")
m = mmap.mmap(f.fileno(), 0)
os.pwrite(g.fileno(), b"hello", 5000)
assert m[5000:5005] == b"hello"
m[5001:5003] = b"EL"
assert os.pread(g.fileno(), 5, 5000) == b"hELlo"' "$W"
    [ -z "$output" ]
    [ "$status" -eq 0 ]
}

# --- what tools do besides -------------------------------------------------------------------------

@test "modes and times are passed over, so that cp -p works" {
    mount_rw
    random "$SIZE" >new
    chmod 600 new
    touch -d 2001-01-01 new
    cp -p new "$W"
    cmp new "$W"
    chmod 0777 "$W"
    touch -d 2002-02-02 "$W"
    chown "$(id -u):$(id -g)" "$W"
    [ ! -s mnt/.pthfs/log ]
}

@test "another owner is passed over too, so that cp -a and tar by root work" {
    require_root
    mount_rw
    chown 12345:12345 "$W"
    [ "$(stat -c %u "$W")" = "$(stat -c %u demo.pth)" ]
    [ ! -s mnt/.pthfs/log ]
}

@test "links, pipes, attributes and holes are refused in the usual words" {
    require_cmd setfattr mkfifo fallocate
    mount_rw
    run ln -s epoch mnt/link
    [[ $output == *"not permitted"* ]]
    run mkfifo mnt/pipe
    [[ $output == *"not permitted"* ]]
    run setfattr -n user.x -v y mnt/epoch
    [[ $output == *"not supported"* ]]
    run fallocate -l 4096 "$W"
    [[ $output == *"not supported"* ]]
    [ "$(wc -l <mnt/.pthfs/log)" -eq 2 ]
    grep -q ' link: symbolic links' mnt/.pthfs/log
}

@test "names that change show at once under every other name" {
    mount_rw
    cat mnt/model/module.fc.bias mnt/model/module/fc.bias >/dev/null
    find mnt/model mnt/model/module -size 0
    rm mnt/model/module/fc.bias
    [ ! -e mnt/model/module.fc.bias ]
    [ -z "$(find mnt/model -name module.fc.bias)" ]
    mv mnt/model/module.conv1.bias mnt/model/module.b
    [ -e mnt/model/module/b ]
    [ ! -e mnt/model/module/conv1.bias ]
}

@test "a name that is taken is not taken away: mv -n and mkdir" {
    mount_rw
    cp mnt/arch old
    mv -n mnt/epoch mnt/arch || true
    cmp old mnt/arch
    [ -e mnt/epoch ]
    run mkdir mnt/model
    [ "$status" -ne 0 ]
    [[ $output == *"File exists"* ]]
}

# --- ends ------------------------------------------------------------------------------------------

@test "SIGTERM, SIGINT and SIGHUP commit, and take the mount away" {
    for sig in TERM INT HUP; do
        cp "$DATA/demo.pth" .
        mount_rw
        echo 77 >mnt/epoch
        pid=$(daemon_of mnt)
        kill -s $sig "$pid"
        wait_until ended "$pid"
        [ ! -e mnt ]
        [ "$(committed epoch)" = 77 ]
        [ ! -e demo.pth.pthfs-journal ]
    done
}

@test "more signals on the way change nothing" {
    for _ in 1 2 3 4 5; do
        cp "$DATA/demo.pth" .
        mount_rw
        random "$SIZE" >"$W"
        pid=$(daemon_of mnt)
        kill "$pid"
        for sig in TERM INT HUP TERM TERM INT; do kill -s $sig "$pid" 2>/dev/null || true; done
        wait_until ended "$pid"
        cmp <(random "$SIZE") <(committed model/module.conv2.weight)
        [ ! -e demo.pth.pthfs-journal ]
    done
}

@test "plain umount commits" {
    require_root
    mount_rw
    echo 77 >mnt/epoch
    pid=$(daemon_of mnt)
    umount mnt
    wait_until ended "$pid"
    [ "$(committed epoch)" = 77 ]
}

@test "a mount whose connection is cut commits" {
    require_root
    mount_rw
    echo 77 >mnt/epoch
    pid=$(daemon_of mnt)
    dev=$(findmnt -no MAJ:MIN mnt | tr -d ' ')
    mkdir conn
    mount -t fusectl none conn || need "no fusectl"
    echo 1 >"conn/${dev#*:}/abort"
    umount conn
    wait_until ended "$pid"
    [ "$(committed epoch)" = 77 ]
    [ ! -e mnt ]
}

@test "a mount that nothing was written to leaves the checkpoint as it is" {
    before=$(stat -c '%i %y' demo.pth)
    mount_rw
    cat mnt/epoch
    "$PTHFS" umount mnt
    [ "$(stat -c '%i %y' demo.pth)" = "$before" ]
    cmp demo.pth "$DATA/demo.pth"
    [ ! -e demo.pth.pthfs-journal ]
}

@test "in the foreground the end says what was committed, and is 0" {
    "$PTHFS" -f -o rw demo.pth mnt >out 2>err 3>&- &
    pid=$!
    wait_until grep -q "^mnt: " out
    echo 77 >mnt/epoch
    kill "$pid"
    wait "$pid"
    grep -q '^pthfs: committed 1 edit' err
    [ "$(wc -l <err)" -eq 1 ]
    [ "$(committed epoch)" = 77 ]
}

@test "in the foreground the end is an error when the checkpoint cannot be committed" {
    "$PTHFS" -f -q -o rw demo.pth mnt 2>err 3>&- &
    pid=$!
    wait_until is_mounted mnt
    echo 77 >mnt/epoch
    cp "$DATA/demo.pth" other
    mv other demo.pth
    kill "$pid"
    code=0
    wait "$pid" || code=$?
    [ "$code" -eq 32 ]
    [ "$(wc -l <err)" -eq 1 ]
    grep -q 'demo.pth.*journal' err
    cmp demo.pth "$DATA/demo.pth"
    [ -s demo.pth.pthfs-journal ]
    [ ! -e mnt ]
}

@test "what is being written when the mount ends is not in the checkpoint" {
    mount_rw
    pid=$(daemon_of mnt)
    exec 8>"$W"
    printf 'half of it' >&8
    kill "$pid"
    wait_until ended "$pid"
    exec 8>&-
    cmp <(committed model/module.conv2.weight) \
        <("$PTHFS" cat "$DATA/demo.pth" model/module.conv2.weight)
}
