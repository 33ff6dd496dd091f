#!/usr/bin/env bats
# make install, and mount(8) with what it put in place.
load common

@test "make install puts program, manual page, completions and mount helpers below DESTDIR" {
    make -s -C "$REPO" install DESTDIR="$PWD/root" PREFIX=/usr
    for f in usr/bin/pthfs usr/bin/pthfs-git-diff usr/share/man/man1/pthfs.1 usr/share/bash-completion/completions/pthfs; do
        [ -f "root/$f" ]
    done
    [ "$(readlink root/usr/sbin/mount.fuse.pthfs)" = /usr/bin/pthfs ]
    [ "$(readlink root/usr/sbin/mount.pthfs)" = /usr/bin/pthfs ]
    make -s -C "$REPO" uninstall DESTDIR="$PWD/root" PREFIX=/usr
    [ "$(find root -type f -o -type l | wc -l)" -eq 0 ]
}

@test "mount -t fuse.pthfs, fstab and umount work with the installed helpers" {
    require_fuse
    require_root
    make -s -C "$REPO" install PREFIX="$PWD/usr" MOUNTDIR="$PWD/sbin"
    mkdir upper work mnt
    cp "$DATA/demo.pth" c.pth
    cat >inside <<-'EOF'
		set -e
		mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$PWD/upper,workdir=$PWD/work" /usr/sbin
		cp -P sbin/mount.* /usr/sbin/
		mount -t fuse.pthfs "$PWD/c.pth" "$PWD/mnt" -o ro
		grep -q "$PWD/c.pth $PWD/mnt fuse.pthfs ro" /proc/mounts
		[ "$(cat mnt/epoch)" = 12 ]
		umount mnt
		echo "$PWD/c.pth $PWD/mnt fuse.pthfs ro,noauto,nofail,x-systemd.automount 0 0" >fstab
		mount --fstab "$PWD/fstab" "$PWD/mnt"
		[ "$(cat mnt/epoch)" = 12 ]
		umount mnt
		echo "$PWD/c.pth $PWD/mnt fuse.pthfs edit,validate=strict,noauto 0 0" >fstab
		mount --fstab "$PWD/fstab" "$PWD/mnt"
		echo 13 >mnt/epoch
		umount mnt
		usr/bin/pthfs -q -o rw c.pth mnt # waits for the commit, as umount(8) does not
		[ "$(cat mnt/epoch)" = 13 ]
		usr/bin/pthfs umount mnt
	EOF
    mkdir -p tmpfs
    if ! unshare -m true; then need "no mount namespaces"; fi
    unshare -m bash inside
}

@test "the manual page is well-formed and names every command and option" {
    require_cmd mandoc
    run mandoc -T lint -W warning "$REPO/contrib/pthfs.1"
    [ "$status" -eq 0 ]
    for word in umount info salvage show_hidden noxattr max_names validate device force; do
        grep -qw "$word" "$REPO/contrib/pthfs.1"
    done
}
