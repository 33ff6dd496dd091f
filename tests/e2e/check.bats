#!/usr/bin/env bats
# pthfs check: verdicts, sentences, exit codes. What torch thinks of the same files: tests/oracle/weights_only.py.
load common

# make_zip FILE PYTHON: an archive as torch writes it; PYTHON sees `records` (zipkit.Record) and changes it.
make_zip() {
    require_cmd python3
    PYTHONPATH=$DATA python3 - "$1" <<EOF
import struct, sys
from zipkit import *
records = [Record("data.pkl", dumps({"w": tensor("0", [4])})), Record("data/0", floats(1, 2, 3, 4)), Record("version", b"3\n")]
$2
open(sys.argv[1], "wb").write(write_zip(records)[0])
EOF
}

@test "every file of tests/data has the verdict that stands in check.tsv" {
    require_cmd python3
    python3 "$BATS_TEST_DIRNAME/check-table.py" "$PTHFS" "$DATA" >now.tsv
    diff "$DATA/check.tsv" now.tsv
}

@test "a clean file is one line of verdict and one of weights_only" {
    run "$PTHFS" check "$DATA/good-state-dict.pth"
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "$DATA/good-state-dict.pth: clean: "*" tensors, "*" records verified" ]]
    [ "${lines[1]}" = "$DATA/good-state-dict.pth: weights_only: yes, torch.load(weights_only=True) takes it" ]
    [ "${#lines[@]}" -eq 2 ]
}

@test "a changed byte is found, named and placed; --quick does not look" {
    run "$PTHFS" check "$DATA/bad-zip-crc-wrong.pt"
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == *": 1 finding (1 damage); 1 tensor, 16 B, 4 records verified" ]]
    [[ ${lines[2]} == *': damage: crc: record "archive/data/0" does not match its CRC ('*"(offset 448)" ]]
    run "$PTHFS" check --quick "$DATA/bad-zip-crc-wrong.pt"
    [ "$status" -eq 0 ]
    [[ $output == *"note: unverified: the data of tensors were not read"* ]]
}

@test "what would run is dangerous, with the reason, and comes first" {
    run "$PTHFS" check "$DATA/bad-pickle-stack-global.pt"
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == *"1 finding (1 danger)"* ]]
    [[ ${lines[1]} == *"weights_only: no: GLOBAL posix.system is not on torch's list"* ]]
    [[ ${lines[2]} == *": danger: global: the pickle names posix.system, which runs programs and removes files"* ]]
}

@test "NaN and Inf are counted by key" {
    make_zip n.pt 'records[1] = Record("data/0", struct.pack("<4f", 1, float("nan"), float("-inf"), float("nan")))'
    run "$PTHFS" check n.pt
    [ "$status" -eq 1 ]
    [[ $output == *"n.pt: warning: nan: w: 2 NaN, 1 -Inf among 4 elements, the first at index 1 (offset "* ]]
    run "$PTHFS" check --quick n.pt
    [ "$status" -eq 0 ]
}

@test "a file that cannot be read is one line of error and exit 2, also with --json" {
    for f in bad-zip-truncated.pt bad-zip-dup-entry.pt bad-file-png.pt bad-pickle-underflow.pt; do
        run --separate-stderr "$PTHFS" check --json "$DATA/$f"
        [ "$status" -eq 2 ]
        [ -z "$output" ]
        [ "${#stderr_lines[@]}" -eq 1 ]
        [[ $stderr == *"$f: "* ]]
    done
}

@test "-o salvage checks what is there of a truncated file, and says what is missing" {
    run "$PTHFS" check -o salvage "$DATA/bad-zip-truncated.pt"
    [ "$status" -eq 1 ]
    [[ $output == *": damage: container: the file has no usable directory"* ]]
}

@test "-q says nothing and exits the same" {
    run "$PTHFS" check -q "$DATA/bad-zip-crc-wrong.pt"
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    run "$PTHFS" check --quiet "$DATA/good-control.pt"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "--json is one document; weights_only says why not" {
    require_cmd jq
    "$PTHFS" check --json "$DATA/bad-pickle-os-system.pt" >out.json || [ $? -eq 1 ]
    jq -e '.clean == false and .weights_only == false and (.weights_only_why | contains("os.system"))' out.json
    jq -e '.findings == [.findings[] | select(.severity == "danger" and .kind == "global" and .name == "os.system" and .offset > 0)]' out.json
    [ "$(jq -r '.findings | length' out.json)" -eq 1 ]
    "$PTHFS" check --json "$DATA/good-control.pt" | jq -e '.clean and .weights_only and .weights_only_why == null and .findings == []'
}

@test "a thousand findings of one kind are a hundred lines; --json has them all" {
    require_cmd jq
    make_zip many.pt 'records[0] = Record("data.pkl", dumps({f"k{i}": tensor("0", [5 + i], numel=4) for i in range(250)}))'
    run "$PTHFS" check many.pt
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == *"250 findings (250 damage)"* ]]
    [ "${#lines[@]}" -eq 103 ]
    [[ ${lines[-1]} == *": damage: tensor: and 150 more (--json has all)" ]]
    [ "$("$PTHFS" check --json many.pt | jq '.findings | length')" -eq 250 ]
}

@test "dead space is a note while it is small, and a warning when it is much" {
    make_zip small.pt 'records.append(Record("data/9", bytes(1000)))'
    run "$PTHFS" check small.pt
    [ "$status" -eq 0 ]
    [[ $output == *": note: dead: 1 data record (1.0 KB"* ]]
    make_zip large.pt 'records.append(Record("data/9", bytes(2 << 20)))'
    run "$PTHFS" check large.pt
    [ "$status" -eq 1 ]
    [[ $output == *": warning: dead: 1 data record (2.1 MB"*"pthfs compact"* ]]
}

@test "what pthfs writes is clean, and what it compacts too" {
    cp "$DATA/demo.pth" c.pth
    "$PTHFS" rename c.pth model/module.fc.bias model/other
    "$PTHFS" rm c.pth optimizer
    run "$PTHFS" check c.pth
    [ "$status" -eq 0 ]
    "$PTHFS" compact c.pth
    run "$PTHFS" check c.pth
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 2 ]
}

@test "edits that wait beside a checkpoint are told" {
    require_fuse
    cp "$DATA/demo.pth" c.pth
    mount_ckpt ./c.pth mnt -o rw
    echo 99 >mnt/epoch
    sync mnt/epoch
    run "$PTHFS" check c.pth
    [ "$status" -eq 1 ]
    [[ $output == *"c.pth: warning: journal: "* ]]
    "$PTHFS" umount mnt
    run "$PTHFS" check c.pth
    [ "$status" -eq 0 ]
}

@test "colours only on a terminal, and not with NO_COLOR" {
    require_cmd script
    run "$PTHFS" check "$DATA/bad-zip-crc-wrong.pt"
    [[ $output != *$'\033'* ]]
    run env TERM=xterm script -qc "'$PTHFS' check '$DATA/bad-zip-crc-wrong.pt'" /dev/null
    [[ $output == *$'\033[31mdamage\033[0m'* ]]
    run env TERM=xterm NO_COLOR=1 script -qc "'$PTHFS' check '$DATA/bad-zip-crc-wrong.pt'" /dev/null
    [[ $output != *$'\033'* ]]
}

@test "names in findings cannot speak to a terminal" {
    make_zip $'esc\033[31m.pt' 'records.append(Record("data/\x1b[2J", b"x"))'
    run "$PTHFS" check $'esc\033[31m.pt'
    [[ $output != *$'\033'* ]]
}

@test "a device that is not there is an error, not the CPU" {
    run "$PTHFS" check --device tpu "$DATA/good-control.pt"
    [ "$status" -eq 2 ]
    [[ $output == "pthfs: check: "*"tpu"* ]]
    run "$PTHFS" check --device cpu "$DATA/good-control.pt"
    [ "$status" -eq 0 ]
}

# Each folder of each name was searched for among all names, which have up to 65535 bytes.
@test "names that are nearly all slashes are checked in time" {
    python3 -c '
import zipfile
good = zipfile.ZipFile("'"$DATA"'/demo.pth")
with zipfile.ZipFile("slashes.pth", "w") as out:
    for member in good.infolist():
        out.writestr(member.filename, good.read(member))
    for i in range(300):
        out.writestr("demo/" + "a/" * 32700 + str(i), b"")
    for name in "x!/y", "x/y/z", "x", "x/y":
        out.writestr("demo/" + name, b"")'
    run timeout 10 "$PTHFS" check --quick slashes.pth
    [ "$status" -eq 1 ]
    [ "$(grep -c 'lies in a folder that is itself a record, "demo/x"' <<<"$output")" -eq 2 ]
    [ "$(grep -c "ambiguous" <<<"$output")" -eq 2 ]
}
