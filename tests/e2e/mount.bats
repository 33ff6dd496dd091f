#!/usr/bin/env bats
# Mounting, as a user sees it: names, options, messages, exit codes, and ends of every kind.
load common
# shellcheck disable=SC2012,SC2016

prepare() {
    require_fuse
    cp "$DATA/demo.pth" .
}

# --- the way in ----------------------------------------------------------------------------------

@test "a checkpoint is a directory as soon as the command returns" {
    "$PTHFS" demo.pth mnt
    [ "$(cat mnt/epoch)" = 12 ]
    [ -d mnt/model ]
    "$PTHFS" umount mnt
    [ ! -e mnt ]
}

@test "the word mount may be said" {
    "$PTHFS" mount demo.pth mnt
    is_mounted mnt
}

@test "one line says what was mounted" {
    run --separate-stderr "$PTHFS" demo.pth mnt
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "mnt: "*tensors*read-only*module* ]]
    [ -z "$stderr" ]
}

# The pickle has one tensor without bytes: torch.compile(net).state_dict(), made by hand.
@test "the line names the view for the keys of a compiled model" {
    printf '\x80\x02}U\x0b_orig_mod.wctorch._utils\n_rebuild_meta_tensor_no_storage\n' >c.pkl
    printf '(ctorch\nfloat32\n))\x89tRs.' >>c.pkl
    run "$PTHFS" c.pkl c
    [ "$status" -eq 0 ]
    [[ $output == *'begin with "_orig_mod." (c/.pthfs/strip/_orig_mod/ has them without)' ]]
    [ -e c/.pthfs/strip/_orig_mod/w ]
}

@test "the line is one line whatever the mount point is called" {
    run "$PTHFS" demo.pth $'a\nb'
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == 'a\nb: '* ]]
}

@test "nothing is said with -q, and with -o quiet" {
    [ -z "$("$PTHFS" -q demo.pth a 2>&1)" ]
    [ -z "$("$PTHFS" -o quiet demo.pth b 2>&1)" ]
}

@test "a shell that captures the output is not held up by the daemon" {
    out=$(timeout 10 "$PTHFS" demo.pth mnt 2>&1)
    [[ $out == mnt:* ]]
}

@test "without a mount point the name without its extension is taken" {
    "$PTHFS" -q "$DATA/demo.pth"
    is_mounted demo
    "$PTHFS" umount demo
    [ ! -e demo ]
}

@test "of .pth.tar both extensions go" {
    cp "$DATA/good-legacy-checkpoint.pth.tar" net.pth.tar
    "$PTHFS" -q net.pth.tar
    is_mounted net
}

@test "a checkpoint without an extension gets .mnt" {
    cp demo.pth weights
    "$PTHFS" -q weights
    is_mounted weights.mnt
}

@test "a mount point that was there stays after the unmount" {
    mkdir mnt
    mount_ckpt demo.pth mnt
    "$PTHFS" umount mnt
    [ -d mnt ]
}

@test "one checkpoint is mounted twice, and each mount ends alone" {
    mount_ckpt ./demo.pth a
    mount_ckpt ./demo.pth b
    cmp a/model/module.fc.bias b/model/module.fc.bias
    "$PTHFS" umount a
    [ "$(cat b/epoch)" = 12 ]
}

@test "the table of mounts shows type, absolute path and read-only" {
    mount_ckpt ./demo.pth mnt
    grep -E "^$PWD/demo.pth $PWD/mnt fuse.pthfs ro," /proc/mounts
    [[ $(findmnt -no OPTIONS mnt) == *default_permissions* ]]
}

@test "a path with a comma, a blank, a backslash and a newline is shown whole" {
    name=$'a,b c\\d\ne.pth'
    cp demo.pth "$name"
    mount_ckpt "./$name" mnt
    [ "$(findmnt -no SOURCE mnt)" = "$(findmnt -no SOURCE --raw mnt)" ] || true
    grep -F 'a,b\040c\134d\012e.pth' /proc/self/mountinfo
}

@test "the inodes are the same at the next mount" {
    mount_ckpt ./demo.pth mnt
    find mnt -printf '%i %P\n' | sort >one
    "$PTHFS" umount mnt
    mount_ckpt ./demo.pth mnt
    find mnt -printf '%i %P\n' | sort | cmp - one
}

# --- options -------------------------------------------------------------------------------------

@test "an unknown option is named, and nothing is mounted" {
    fails 1 "unknown mount option 'frobnicate'" "$PTHFS" -o ro,frobnicate demo.pth mnt
    [ ! -e mnt ]
    fails 1 "-z" "$PTHFS" -z demo.pth mnt
    fails 1 "--frob" "$PTHFS" --frob demo.pth mnt
}

@test "a value that makes no sense is named" {
    fails 1 "umask='9': that is not an octal mask" "$PTHFS" -o umask=9 demo.pth mnt
    fails 1 "uid='nobody-by-this-name': that is not a user's name" "$PTHFS" -o uid=nobody-by-this-name demo.pth mnt
    fails 1 "max_names='-1': that is not a number" "$PTHFS" -o max_names=-1 demo.pth mnt
}

@test "options of editing that contradict each other or mean nothing are refused" {
    fails 1 "-o ro and -o rw contradict" "$PTHFS" -o ro,rw demo.pth mnt
    fails 1 "needs -o rw" "$PTHFS" -o inplace demo.pth mnt
    fails 1 "needs -o rw" "$PTHFS" -o compact demo.pth mnt
    fails 1 "-o salvage" "$PTHFS" -o salvage,rw demo.pth mnt
    [ ! -e mnt ]
}

@test "too few and too many words are usage errors" {
    fails 1 "which checkpoint" "$PTHFS" mount
    fails 1 "too many" "$PTHFS" demo.pth a b
    fails 1 "neither a command nor a file" "$PTHFS" unmount mnt
}

@test "what mount(8) and fstab add is accepted" {
    o=ro,user,users,noauto,auto,nofail,_netdev,defaults,exec,noexec,suid,nosuid,dev,nodev
    o+=,atime,noatime,relatime,strictatime,nodiratime,lazytime,sync,async,dirsync
    o+=,x-systemd.automount,x-gvfs-hide,comment=hello
    mount_ckpt ./demo.pth mnt -o "$o"
    [[ $(findmnt -no OPTIONS mnt) == *noexec* ]]
}

@test "libfuse's options pass through" {
    mount_ckpt ./demo.pth mnt -o allow_other,max_read=65536,clone_fd,max_idle_threads=3 \
        -o fsname=my-name,max_threads=4,attr_timeout=1,entry_timeout=1.5,negative_timeout=0
    [ "$(cat mnt/epoch)" = 12 ]
    grep -E "^my-name $PWD/mnt fuse.pthfs .*allow_other,max_read=65536" /proc/mounts
}

@test "one thread is enough" {
    mount_ckpt ./demo.pth mnt -s
    cp -r mnt copy
    diff -r mnt copy
    [ "$(awk '/^Threads/ { print $2 }' "/proc/$(daemon_of mnt)/status")" -eq 1 ]
}

@test "direct_io reads past the page cache" {
    mount_ckpt ./demo.pth mnt -o direct_io
    mount_ckpt ./demo.pth cached
    cmp mnt/model/module.fc.weight cached/model/module.fc.weight
}

@test "owner, times and read bits are the checkpoint's" {
    require_root
    chown 12:34 demo.pth
    chmod 0640 demo.pth
    touch -d 2020-02-02 demo.pth
    mount_ckpt ./demo.pth mnt
    [ "$(stat -c '%u:%g %a %Y' mnt/epoch)" = "12:34 440 $(stat -c %Y demo.pth)" ]
    [ "$(stat -c '%u:%g %a' mnt/model)" = "12:34 550" ]
}

@test "uid, gid and the masks change what is shown" {
    chmod 0600 demo.pth
    mount_ckpt ./demo.pth a -o uid=7,gid=8
    [ "$(stat -c '%u:%g %a' a/epoch)" = "7:8 400" ]
    mount_ckpt ./demo.pth b -o umask=027
    [ "$(stat -c %a b/epoch b/model | xargs)" = "440 550" ]
    mount_ckpt ./demo.pth c -o fmask=0337,dmask=022
    [ "$(stat -c %a c/epoch c/model | xargs)" = "440 555" ]
    mount_ckpt ./demo.pth d -o uid=root
    [ "$(stat -c %U d/epoch)" = root ]
}

@test "noxattr switches extended attributes off, and umount still works" {
    require_cmd getfattr
    mount_ckpt ./demo.pth mnt -o noxattr
    run getfattr -d mnt/model/module.fc.bias
    [[ $output == *"not supported"* ]]
    pid=$(daemon_of mnt)
    "$PTHFS" umount mnt
    ended "$pid"
}

@test "show_hidden lists the names that answer anyway" {
    mount_ckpt ./demo.pth mnt -o show_hidden
    find mnt -maxdepth 1 -name .pthfs | grep .
    find mnt/model -maxdepth 1 -name module | grep .
}

@test "a limit on names is kept" {
    fails 32 "max_names" "$PTHFS" -o max_names=3 demo.pth mnt
    [ ! -e mnt ]
}

@test "-v says what was noticed" {
    "$PTHFS" -v demo.pth mnt
}

@test "help and version answer on standard output with 0" {
    run --separate-stderr "$PTHFS" --version
    [ "$status" -eq 0 ]
    [[ $output == pthfs*libfuse*libzip*zlib*libdeflate* ]]
    for cmd in "" mount umount ls info cat; do
        run --separate-stderr "$PTHFS" $cmd --help
        [ "$status" -eq 0 ]
        [[ $output == usage:* ]]
        [ -z "$stderr" ]
    done
    run --separate-stderr "$PTHFS"
    [ "$status" -eq 1 ]
    [ -z "$output" ]
}

# --- refusals ------------------------------------------------------------------------------------

@test "a missing checkpoint is named and leaves no mount point" {
    fails 32 "no-such.pth" "$PTHFS" no-such.pth mnt
    [ ! -e mnt ]
}

@test "a file that is no checkpoint is refused with its name" {
    head -c 5000 /dev/zero >zeros.pth
    fails 32 "zeros.pth" "$PTHFS" zeros.pth mnt
    [ ! -e mnt ]
}

@test "a mount point that is a file is refused" {
    touch mnt
    fails 32 "not a directory" "$PTHFS" demo.pth mnt
}

@test "a mount point whose parent is missing is refused" {
    fails 32 "no/such/mnt" "$PTHFS" demo.pth no/such/mnt
}

@test "a mount point that is not empty needs nonempty" {
    mkdir mnt
    touch mnt/file
    fails 32 "not empty" "$PTHFS" demo.pth mnt
    mount_ckpt ./demo.pth mnt -o nonempty
    [ "$(cat mnt/epoch)" = 12 ]
}

@test "a mount point that shows a checkpoint already is refused" {
    mount_ckpt ./demo.pth mnt
    fails 32 "already shows $PWD/demo.pth" "$PTHFS" demo.pth mnt
    fails 32 "already shows" "$PTHFS" -o nonempty demo.pth mnt
}

@test "a mount point in a mount of the same checkpoint is refused" {
    mount_ckpt ./demo.pth mnt
    fails 32 "same checkpoint" "$PTHFS" -o nonempty demo.pth mnt/model
}

@test "a mount that would hide its own checkpoint is refused, also through links" {
    mkdir -p dir/sub
    mv demo.pth dir/sub
    ln -s dir link
    ln -s dir/sub/demo.pth model.pth
    fails 32 "would hide it" "$PTHFS" -o nonempty dir/sub/demo.pth dir
    fails 32 "would hide it" "$PTHFS" -o nonempty link/sub/demo.pth dir/sub
    fails 32 "would hide it" "$PTHFS" -o nonempty dir/sub/demo.pth link
    fails 32 "would hide it" "$PTHFS" -o nonempty model.pth dir
}

@test "a mount that would hide its own checkpoint is refused through a bind mount" {
    require_root
    mkdir dir bind
    mv demo.pth dir
    mount --bind dir bind
    fails 32 "would hide it" "$PTHFS" -o nonempty bind/demo.pth dir
}

@test "without /dev/fuse one line says what to do" {
    require_root
    require_cmd unshare
    fails 2 "modprobe fuse" unshare -m sh -c "mount -t tmpfs none /dev && '$PTHFS' demo.pth mnt"
    [[ $stderr == *"--device /dev/fuse"*"pthfs ls"* ]]
}

# --- ends ----------------------------------------------------------------------------------------

@test "SIGTERM, SIGINT and SIGHUP end a mount cleanly" {
    for sig in TERM INT HUP; do
        mount_ckpt ./demo.pth mnt
        pid=$(daemon_of mnt)
        kill -s $sig "$pid"
        wait_until [ ! -e mnt ]
        wait_until ended "$pid"
    done
}

@test "SIGPIPE and SIGXFSZ do not end it" {
    mount_ckpt ./demo.pth mnt
    pid=$(daemon_of mnt)
    kill -s PIPE "$pid"
    kill -s XFSZ "$pid"
    [ "$(cat mnt/epoch)" = 12 ]
}

@test "in the foreground it serves until it is told to stop, and ends with 0" {
    "$PTHFS" -f demo.pth mnt >out 2>err 3>&- &
    pid=$!
    wait_until grep -q "^mnt: " out
    [ "$(cat mnt/epoch)" = 12 ]
    kill "$pid"
    wait "$pid"
    [ ! -e mnt ]
    [ ! -s err ]
}

@test "in the foreground it ends with 0 when it is unmounted" {
    "$PTHFS" -f -q demo.pth mnt 3>&- &
    pid=$!
    wait_until is_mounted mnt
    "$PTHFS" umount mnt
    wait "$pid"
}

@test "-d traces on standard error" {
    "$PTHFS" -d demo.pth mnt 2>err >out 3>&- &
    pid=$!
    wait_until is_mounted mnt
    cat mnt/epoch
    kill "$pid"
    wait "$pid"
    grep -q LOOKUP err
}

@test "plain umount works, and the daemon ends" {
    require_root
    mount_ckpt ./demo.pth mnt
    pid=$(daemon_of mnt)
    umount mnt
    wait_until ended "$pid"
    wait_until [ ! -e mnt ]
}

@test "fusermount3 -u works" {
    require_cmd fusermount3
    mount_ckpt ./demo.pth mnt
    fusermount3 -u mnt
    wait_until [ ! -e mnt ]
}

@test "a daemon that was killed leaves a mount that the next one clears, in words" {
    mount_ckpt ./demo.pth mnt
    kill -9 "$(daemon_of mnt)"
    run cat mnt/epoch
    [ "$status" -ne 0 ]
    run --separate-stderr "$PTHFS" demo.pth mnt
    [ "$status" -eq 0 ]
    [[ $stderr == "pthfs: mnt: cleared a dead mount of $PWD/demo.pth" ]]
    [ "$(cat mnt/epoch)" = 12 ]
}

@test "a dead mount is unmounted like any other" {
    mount_ckpt ./demo.pth mnt
    kill -9 "$(daemon_of mnt)"
    "$PTHFS" umount mnt
    not_mounted mnt
}

@test "auto_unmount takes the mount of a killed daemon away" {
    require_cmd fusermount3
    mount_ckpt ./demo.pth mnt -o auto_unmount
    kill -9 "$(daemon_of mnt)"
    wait_until not_mounted mnt
}

@test "the checkpoint may be removed while it is mounted" {
    mount_ckpt ./demo.pth mnt
    rm demo.pth
    cmp mnt/model/module.fc.bias <("$PTHFS" cat "$DATA/demo.pth" model/module.fc.bias)
}

# --- pthfs umount --------------------------------------------------------------------------------

@test "umount returns when the daemon has ended" {
    for _ in 1 2 3 4 5; do
        mount_ckpt ./demo.pth mnt
        pid=$(daemon_of mnt)
        "$PTHFS" umount mnt
        ended "$pid"
        [ ! -e mnt ]
    done
}

@test "umount takes several, and a trailing slash, and a link" {
    mount_ckpt ./demo.pth a
    mount_ckpt ./demo.pth b
    ln -s b link
    "$PTHFS" umount a/ link
    [ -z "$(mounts_below "$PWD")" ]
}

@test "umount takes the checkpoint when it has one mount" {
    mount_ckpt ./demo.pth mnt
    "$PTHFS" umount demo.pth
    [ ! -e mnt ]
}

@test "umount of a checkpoint with two mounts names them" {
    mount_ckpt ./demo.pth a
    mount_ckpt ./demo.pth b
    run --separate-stderr "$PTHFS" umount demo.pth
    [ "$status" -eq 2 ]
    [[ $stderr == *"2 times"*"$PWD/a"*"$PWD/b"* ]]
}

@test "umount does not stand in its own way" {
    mount_ckpt ./demo.pth mnt
    run env -C mnt/model "$PTHFS" umount ..
    [ "$status" -eq 0 ]
    [ ! -e mnt ]
}

@test "a busy mount stays, and who holds it is said" {
    mount_ckpt ./demo.pth mnt
    (cd mnt/model && exec sleep 60 3>&-) &
    cwd=$!
    exec 9<mnt/epoch
    sleep 60 3>&- &
    fd=$!
    exec 9<&-
    wait_until grep -q sleep "/proc/$cwd/comm"
    wait_until grep -q sleep "/proc/$fd/comm"
    run --separate-stderr "$PTHFS" umount mnt
    kill "$cwd" "$fd"
    [ "$status" -eq 1 ]
    [[ $stderr == *"mnt is busy and stays mounted"* ]]
    [[ $stderr == *"  $cwd sleep: working directory $PWD/mnt/model"* ]]
    [[ $stderr == *"  $fd sleep: has open $PWD/mnt/epoch"* ]]
    [ "$(cat mnt/epoch)" = 12 ]
    wait "$cwd" "$fd" || true
    "$PTHFS" umount mnt
}

@test "who maps a file of a busy mount is said" {
    require_python mmap
    mount_ckpt ./demo.pth mnt
    "$PYTHON" -c '
import mmap, time
f = open("mnt/model/module.fc.weight", "rb")
m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
f.close(); open("ready", "w"); time.sleep(60)' 3>&- &
    pid=$!
    wait_until [ -e ready ]
    run --separate-stderr "$PTHFS" umount mnt
    kill "$pid"
    [ "$status" -eq 1 ]
    [[ $stderr == *"  $pid python3"*"$PWD/mnt/model/module.fc.weight"* ]]
}

@test "--lazy detaches a busy mount, whose user reads on" {
    mount_ckpt ./demo.pth mnt
    pid=$(daemon_of mnt)
    exec 9<mnt/arch
    "$PTHFS" umount --lazy mnt
    not_mounted mnt
    [ "$(cat <&9)" = demonet ]
    exec 9<&-
    wait_until ended "$pid"
}

@test "umount says what it is when it is no mount of ours" {
    mkdir dir
    fails 2 "not a mount point" "$PTHFS" umount dir
    fails 2 "not mounted" "$PTHFS" umount demo.pth
    fails 2 "No such file" "$PTHFS" umount nothing
    fails 2 "which mount point" "$PTHFS" umount
    mount_ckpt ./demo.pth mnt
    fails 2 "lies in the mount at $PWD/mnt" "$PTHFS" umount mnt/model
}

@test "umount leaves other file systems alone" {
    require_root
    mkdir dir
    mount -t tmpfs none dir
    fails 2 "type tmpfs" "$PTHFS" umount dir
    is_mounted dir
}

# --- mount(8) ------------------------------------------------------------------------------------

# /usr/local/bin holds nothing but pthfs for the command: mount(8) looks for it in its own PATH.
with_pthfs_installed() {
    mkdir -p bin
    cp "$PTHFS" bin/pthfs
    unshare -m sh -e -c 'mount --bind bin /usr/local/bin; eval "$1"' sh "$1"
}

@test "mount -t fuse.pthfs works through mount.fuse3, silently" {
    require_root
    require_cmd mount.fuse3 unshare
    mkdir mnt
    run with_pthfs_installed '
        mount -t fuse.pthfs "$PWD/demo.pth" mnt
        cat mnt/epoch
        umount mnt
        mount -t fuse.pthfs demo.pth mnt -o ro,noexec,x-foo,allow_other,nofail
        findmnt -no OPTIONS mnt
        pthfs umount mnt'
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 2 ]
    [ "${lines[0]}" = 12 ]
    [[ ${lines[1]} == ro*noexec*allow_other* ]]
}

@test "mount(8) fails with 32 and the reason for a checkpoint that is none" {
    require_root
    require_cmd mount.fuse3 unshare
    mkdir mnt
    fails 32 "missing.pth" with_pthfs_installed 'mount -t fuse.pthfs missing.pth mnt'
}

@test "as mount.fuse.pthfs and mount.pthfs it takes mount(8)'s way of calling" {
    ln -s "$PTHFS" mount.fuse.pthfs
    ln -s "$PTHFS" mount.pthfs
    mkdir a b
    run ./mount.fuse.pthfs "$PWD/demo.pth" "$PWD/a" -o rw,nofail,user
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    run ./mount.pthfs demo.pth b -sn -t fuse.pthfs -o ro,no-such-option
    [ "$status" -eq 0 ]
    [ "$(cat a/epoch b/epoch | xargs)" = "12 12" ]
    findmnt -no OPTIONS a | grep -q '^ro,'
}

@test "the helper keeps mount(8)'s exit codes" {
    ln -s "$PTHFS" mount.fuse.pthfs
    mkdir mnt
    fails 1 "no-such-option" ./mount.fuse.pthfs demo.pth mnt -o no-such-option
    fails 32 "missing.pth" ./mount.fuse.pthfs missing.pth mnt -o rw
    fails 1 "remount" ./mount.fuse.pthfs demo.pth mnt -o remount,ro
    ./mount.fuse.pthfs demo.pth mnt -f -o rw
    not_mounted mnt
}

# --- who may, and how fast -----------------------------------------------------------------------

@test "the read-ahead of a mount by root is one request of 1 MiB" {
    require_root
    mount_ckpt ./demo.pth mnt
    dev=$(findmnt -no MAJ:MIN mnt | tr -d ' ')
    [ -w "/sys/class/bdi/$dev/read_ahead_kb" ] || need "no /sys/class/bdi"
    [ "$(cat "/sys/class/bdi/$dev/read_ahead_kb")" -eq 1024 ]
}

# A user that may open /dev/fuse, in a mount namespace of its own.
as_user() {
    unshare -m sh -c '
        rm -f fuse; mknod -m 666 fuse c 10 229 && mount --bind fuse /dev/fuse || exit 99
        '"${HIDE:+mount --bind /dev/null $HIDE;}"'
        exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$1"' sh "$1"
}

prepare_user() {
    require_root
    require_cmd unshare setpriv fusermount3
    base=$(mktemp -d)
    chmod 755 "$base"
    cp "$PTHFS" "$base/pthfs"
    cp "$DATA/demo.pth" "$base"
    cd "$base" || return
    mkdir home
    chmod 777 home
    [ -z "$(as_user true 2>&1)" ] || need "no device nodes in $base"
}

@test "an ordinary user mounts and unmounts, and owns what he sees" {
    prepare_user
    run as_user 'cd home && ../pthfs -q ../demo.pth mnt && cat mnt/epoch &&
        ../pthfs umount mnt && ls -A'
    rm -rf "$base"
    [ "$output" = 12 ]
}

@test "an ordinary user is told what fusermount3 refuses, in one line" {
    prepare_user
    run as_user 'mkdir home/mnt; ./pthfs -q -o allow_other demo.pth home/mnt'
    rm -rf "$base"
    grep -qx user_allow_other /etc/fuse.conf && skip "user_allow_other is set"
    [ "$status" -eq 32 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *user_allow_other* ]]
}

@test "an ordinary user is told whose mount it is" {
    prepare_user
    "$PTHFS" -q demo.pth home/mnt
    run as_user './pthfs umount home/mnt'
    "$PTHFS" umount home/mnt
    rm -rf "$base"
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"was mounted by user 0"* ]]
}

@test "an ordinary user without fusermount3 is told to install fuse3" {
    prepare_user
    HIDE=/usr/bin/fusermount3 run as_user './pthfs -q demo.pth home/mnt'
    rm -rf "$base"
    [ "$status" -eq 2 ]
    [[ $output == *"install the package fuse3"* ]]
}

@test "root waits for the mount of another user too" {
    prepare_user
    as_user 'cd home && ../pthfs -q ../demo.pth mnt && exec sleep 60' 3>&- &
    wait_until pgrep -U 65534 -x sleep
    pid=$(pgrep -U 65534 -x pthfs)
    ns=$(pgrep -U 65534 -x sleep)
    run nsenter -t "$ns" -m "$PTHFS" umount "$base/home/mnt"
    gone=$(ended "$pid" && echo gone)
    kill "$ns"
    rm -rf "$base"
    [ "$status" -eq 0 ]
    [ "$gone" = gone ]
}
