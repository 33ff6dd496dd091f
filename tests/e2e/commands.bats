#!/usr/bin/env bats
# Commands that need no mount (and no /dev/fuse): ls, info, cat, --help, --version.
load common

@test "ls prints name, dtype, shape and bytes, separated by tabs when it is no terminal" {
    run "$PTHFS" ls "$DATA/demo.pth" 'model/module.conv1.*'
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = $'model/module.conv1.weight\tfloat32\t[16, 3, 3, 3]\t1728' ]
    [ "${lines[1]}" = $'model/module.conv1.bias\tfloat32\t[16]\t64' ]
    [ "${#lines[@]}" -eq 2 ]
}

@test "ls -l aligns, marks tied tensors and closes with a total" {
    run "$PTHFS" ls -l "$DATA/demo.pth"
    [ "$status" -eq 0 ]
    [[ $output == *"= model/module.embed.weight"* ]]
    [[ ${lines[-1]} == "48 tensors (1 further name tied, 2 share bytes), "* ]]
}

@test "ls marks views into shared storages" {
    run "$PTHFS" ls "$DATA/good-views.pt"
    [ "$status" -eq 0 ]
    [[ $output == *"shares bytes"* ]]
}

@test "ls takes a directory as all that is below it, and ** across directories" {
    run "$PTHFS" ls "$DATA/demo.pth" optimizer/state/0
    [ "${#lines[@]}" -eq 3 ]
    run "$PTHFS" ls "$DATA/demo.pth" '**/exp_avg'
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -ge 4 ]
    [[ ${lines[0]} == optimizer/state/0/exp_avg$'\t'* ]]
}

@test "ls --json is one document that says everything about a tensor" {
    require_cmd jq
    run "$PTHFS" ls --json "$DATA/demo.pth"
    [ "$status" -eq 0 ]
    entry=$(jq -c '.entries[] | select(.name == "model/module.fc.weight")' <<<"$output")
    [ "$(jq -r .dtype <<<"$entry")" = float32 ]
    [ "$(jq -c .shape <<<"$entry")" = '[64,32]' ]
    [ "$(jq -c .stride <<<"$entry")" = '[32,1]' ]
    [ "$(jq -r .nlink <<<"$entry")" -eq 2 ]
    [ "$(jq -r .key <<<"$entry")" = module.fc.weight ]
    [ "$(jq -r .total.tensors <<<"$output")" -eq 48 ]
}

@test "the file offset in ls --json is where the bytes are" {
    require_cmd jq
    off=$("$PTHFS" ls --json "$DATA/demo.pth" model/module.fc.bias | jq -r '.entries[0].file_offset')
    "$PTHFS" cat "$DATA/demo.pth" model/module.fc.bias >got
    dd if="$DATA/demo.pth" of=raw bs=1 skip="$off" count=256 status=none
    cmp got raw
}

@test "ls of a pattern that nothing matches is an error, not an empty list" {
    fails 2 "nothing" "$PTHFS" ls "$DATA/demo.pth" 'no/such*'
}

@test "cat writes a tensor's bytes and a value's text" {
    require_cmd jq
    want=$(jq -r '.entries[] | select(.path == "model/module.conv1.weight") | .sha256' \
        "$DATA/expect/demo.pth.json")
    [ "$("$PTHFS" cat "$DATA/demo.pth" model/module.conv1.weight | sha256sum | cut -d ' ' -f 1)" = "$want" ]
    [ "$("$PTHFS" cat "$DATA/demo.pth" epoch)" = 12 ]
}

@test "cat --npy is what numpy loads" {
    require_python numpy
    "$PTHFS" cat --npy "$DATA/demo.pth" model/module.conv1.weight >w.npy
    [ "$("$PYTHON" -c 'import numpy; a = numpy.load("w.npy"); print(a.shape, a.dtype)')" = "(16, 3, 3, 3) float32" ]
}

@test "cat --text prints one element a line, with the digits that read back" {
    run "$PTHFS" cat --text "$DATA/good-control.pt" w
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq "$(($("$PTHFS" cat "$DATA/good-control.pt" w | wc -c) / 4))" ]
    [[ ${lines[0]} =~ ^-?[0-9]+\.[0-9]+ ]]
}

@test "cat answers for the hidden names" {
    "$PTHFS" cat "$DATA/demo.pth" .pthfs/info | grep -q '^format *torch zip'
    [ "$("$PTHFS" cat "$DATA/demo.pth" .pthfs/archive/version)" = 3 ]
    "$PTHFS" cat "$DATA/demo.pth" model/module.fc.bias.meta | grep -q '"dtype": "float32"'
}

@test "cat of a name that is not there says so" {
    fails 2 "model/nope: no such name" "$PTHFS" cat "$DATA/demo.pth" model/nope
}

@test "cat of a directory says so" {
    fails 2 "Is a directory" "$PTHFS" cat "$DATA/demo.pth" model
}

@test "info names format, writer, dtypes, prefixes and symbols" {
    run "$PTHFS" info "$DATA/demo.pth"
    [ "$status" -eq 0 ]
    grep -q '^format  *torch zip, version 3$' <<<"$output"
    grep -q '^written by  *torch 2' <<<"$output"
    grep -q 'model/ (17 keys, prefix module.)' <<<"$output"
    grep -q 'known *argparse.Namespace' <<<"$output"
}

@test "info names a dangerous symbol and runs nothing" {
    run "$PTHFS" info "$DATA/bad-pickle-os-system.pt"
    [ "$status" -eq 0 ]
    grep -qi 'dangerous.*system' <<<"$output"
}

@test "info --json is one document" {
    require_cmd jq
    [ "$("$PTHFS" info --json "$DATA/demo.pth" | jq -r '.dtypes.float32.tensors')" -eq 46 ]
}

@test "nothing of a hostile pickle is executed: no process, no socket" {
    require_cmd strace
    for f in "$DATA"/bad-pickle-*.pt; do
        ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o trace -e trace=execve,socket,connect,ptrace,fork,vfork "$PTHFS" info "$f" >out 2>&1 || true
        [ "$(grep -c -v '^[0-9]* *execve(.*pthfs' trace)" -eq 0 ]
    done
}

@test "the program has no way to start another from a library: no system, no popen" {
    require_cmd nm
    run bash -c "nm -D '$PTHFS' | grep -wE 'system|popen|dlmopen'"
    [[ $PTHFS == *san-* ]] || [ -z "$output" ]
}

@test "the one library that is looked up is the driver of a card, when a card is asked for" {
    [[ $PTHFS != *san-* ]] || skip "a sanitizer does not run under strace"
    require_cmd strace
    opens_driver() { strace -f -e trace=openat,open "$@" 2>&1 >/dev/null | grep -c libcuda; }
    [ "$(opens_driver "$PTHFS" stats "$DATA/demo.pth")" -eq 0 ]
    [ "$(opens_driver "$PTHFS" check "$DATA/demo.pth")" -eq 0 ]
    [ "$(opens_driver "$PTHFS" stats --device auto "$DATA/demo.pth")" -gt 0 ]
}

@test "a truncated file is told as one, with what is there and what is missing" {
    head -c 60000 "$DATA/demo.pth" >cut.pth
    fails 2 "truncated" "$PTHFS" ls cut.pth
    [[ $stderr == *"60.0 KB are there"* && $stderr == *"missing"* && $stderr == *salvage* ]]
}

@test "-o salvage lists what is there of a truncated file and refuses the rest by name" {
    head -c 60000 "$DATA/demo.pth" >cut.pth
    run "$PTHFS" ls -o salvage cut.pth
    [ "$status" -eq 0 ]
    [[ $output == *"model/module.conv1.weight"* && $output == *"!"* ]]
    "$PTHFS" cat "$DATA/demo.pth" model/module.conv1.weight >want
    "$PTHFS" cat -o salvage cut.pth model/module.conv1.weight >got
    cmp want got
    broken=$("$PTHFS" ls -o salvage cut.pth | grep 'is missing' | head -n 1 | cut -f 1)
    fails 2 "$broken" "$PTHFS" cat -o salvage cut.pth "$broken"
}

@test "of a tensor that is cut in two, what is there is read and the rest is an error" {
    head -c 60000 "$DATA/demo.pth" >cut.pth
    half=$("$PTHFS" ls -o salvage cut.pth | grep 'of its' | head -n 1 | cut -f 1)
    "$PTHFS" cat "$DATA/demo.pth" "$half" >whole
    run bash -c "'$PTHFS' cat -o salvage cut.pth '$half' >part"
    [ "$status" -eq 2 ]
    [ -s part ]
    cmp part <(head -c "$(wc -c <part)" whole)
}

@test "what is no checkpoint is named for what it is" {
    fails 2 "git-lfs" "$PTHFS" ls "$DATA/bad-file-lfs.pt"
    fails 2 "HTML" "$PTHFS" ls "$DATA/bad-file-html.pt"
    fails 2 "PNG" "$PTHFS" ls "$DATA/bad-file-png.pt"
    fails 2 "empty" "$PTHFS" ls "$DATA/bad-file-empty.pt"
    fails 2 "safetensors" "$PTHFS" ls "$DATA/bad-file-safetensors.pt"
    fails 2 "directory" "$PTHFS" ls "$BATS_TEST_TMPDIR"
    fails 2 "No such file" "$PTHFS" ls nothing.pth
}

@test "a pipe or a device is not opened" {
    mkfifo pipe
    fails 2 "pipe" timeout 5 "$PTHFS" ls pipe
    fails 2 "/dev/null" timeout 5 "$PTHFS" ls /dev/null
}

@test "what is read is not written: ls, info and cat open the checkpoint for reading only" {
    require_cmd strace
    cp "$DATA/demo.pth" c.pth
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o trace -e trace=openat,open,creat,rename,unlink,ftruncate,pwrite64 "$PTHFS" info c.pth >out
    [ "$(grep -cE 'O_WRONLY|O_RDWR|creat\(|rename|unlink|ftruncate|pwrite' <(grep -v /dev/null trace))" -eq 0 ]
}

@test "--help and --version" {
    run "$PTHFS" --help
    [ "$status" -eq 0 ]
    [[ $output == usage:* && $output == *umount* ]]
    run "$PTHFS" --version
    [ "$status" -eq 0 ]
    [[ $output == "pthfs "*libfuse*libzip*zlib*libdeflate* ]]
    for c in ls info cat umount mount; do
        run "$PTHFS" "$c" --help
        [ "$status" -eq 0 ]
        [[ $output == usage:* ]]
    done
}

@test "wrong options and missing words are one line" {
    fails 2 "-z" "$PTHFS" ls -z "$DATA/demo.pth"
    fails 2 "missing" "$PTHFS" cat "$DATA/demo.pth"
    fails 2 "exclude" "$PTHFS" cat --npy --text "$DATA/demo.pth" epoch
}

@test "a standard output that is closed is an error, not silence" {
    for c in "cat '$DATA/demo.pth' model/module.fc.bias" "ls '$DATA/demo.pth'" "--version"; do
        fails 2 "standard output: Bad file descriptor" bash -c "'$PTHFS' $c >&-"
    done
}

@test "an error is one line whatever the file is called" {
    cp "$DATA/demo.pth" $'a\nb\033.pth'
    fails 2 'a\nb\x1b.pth: nothing is called' "$PTHFS" ls $'a\nb\033.pth' 'no/such'
}

@test "cat --npy of what is no tensor says so" {
    fails 2 "epoch: not a tensor" "$PTHFS" cat --npy "$DATA/demo.pth" epoch
    fails 2 "nope.npy: no such name" "$PTHFS" cat --npy "$DATA/demo.pth" nope
}

@test "help COMMAND is COMMAND --help" {
    for c in ls info cat umount mount rename set rm compact status commit revert recover; do
        run "$PTHFS" help "$c"
        [ "$status" -eq 0 ]
        [ "$output" = "$("$PTHFS" "$c" --help)" ]
    done
    fails 1 "no command nope" "$PTHFS" help nope
}

@test "a reader that closes the pipe early is no error message" {
    run bash -c "'$PTHFS' ls '$DATA/demo.pth' | head -n 1"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
}
