#!/usr/bin/env bats
# pthfs stats: the numbers of tensors. (That they are torch's is tests/oracle/stats.py's to see.)
load common
# shellcheck disable=SC2016

prepare() {
    require_cmd jq python3
    cp "$DATA/demo.pth" c.pth
}

# odd.pth: a plain pickle whose tensor "w" has NaN, both infinities and a zero, 1 and -3; and "u" of 4 ones.
odd() {
    cp c.pth odd.pth
    perl -e 'print pack("f<*", "nan", "inf", "-inf", "-inf", 0, 1, -3, (1) x 9)' >bytes
    "$PTHFS" ls odd.pth | awk -F '\t' '$3 == "[16]" && $2 == "float32" { print $1; exit }' >name
    python3 -c 'import struct, sys
head = b"\x93NUMPY\1\0" + struct.pack("<H", 118) + b"{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (16,)}".ljust(117) + b"\n"
open("w.npy", "wb").write(head.replace(b"\"", b"\x27") + open("bytes", "rb").read())'
    "$PTHFS" set odd.pth "$(cat name)" --npy w.npy >/dev/null 2>&1
}

@test "a line for each tensor and one for all, aligned, with the names of the columns" {
    run "$PTHFS" stats c.pth
    [ "$status" -eq 0 ]
    [[ ${lines[0]} =~ ^name\ +dtype\ +shape\ +count\ +nan\ +inf\ +zeros\ +min\ +max\ +mean\ +std\ +abs_max$ ]]
    [[ ${lines[-1]} == total* ]]
    [ "$(awk '{ print length }' <<<"$output" | sort -u | wc -l)" -eq 1 ]
    tensors=$("$PTHFS" ls --json c.pth | jq '.total.tensors')
    [ "${#lines[@]}" -eq $((tensors + 2)) ]
}

@test "the numbers are those of KEY.stats" {
    name=model/module.conv2.weight
    "$PTHFS" stats --json c.pth "$name" | jq -c '.tensors[0] | {count, nan, pos_inf, neg_inf, zeros, min, max, mean, std, abs_max}' >command
    "$PTHFS" cat c.pth "$name.stats" | jq -c . >file
    diff command file
}

@test "NaN and infinities are counted, and the rest is about what is finite" {
    odd
    "$PTHFS" stats --json odd.pth "$(cat name)" >json
    jq -e '.tensors[0] | .count == 16 and .nan == 1 and .pos_inf == 1 and .neg_inf == 2 and .zeros == 1' json
    jq -e '.tensors[0] | .min == -3 and .max == 1 and .abs_max == 3 and .mean == 7 / 12' json
    run "$PTHFS" stats odd.pth "$(cat name)"
    [[ $(awk 'NR == 2 { print $5, $6, $7 }' <<<"$output") == "1 3 1" ]]
}

@test "the total is that of all elements together" {
    "$PTHFS" stats --json c.pth >json
    jq -e '.total.count == ([.tensors[].count] | add) and .total.zeros == ([.tensors[].zeros] | add)' json
    jq -e '.total.max == ([.tensors[].max] | max) and .total.min == ([.tensors[].min] | min)' json
    jq -e '.total.mean - ([.tensors[] | .mean * .count] | add) / .total.count | fabs < 1e-12' json
}

@test "--sort puts the largest first, -BY the smallest, and what has no such number last" {
    sorted() { "$PTHFS" stats --json --sort "$1" "$2" | jq -c '[.tensors[].max]'; }
    [ "$(sorted max c.pth)" = "$("$PTHFS" stats --json c.pth | jq -c '[.tensors[].max] | sort | reverse')" ]
    [ "$(sorted -max c.pth)" = "$("$PTHFS" stats --json c.pth | jq -c '[.tensors[].max] | sort')" ]
    [ "$(sorted -max "$DATA/good-dtypes.pt" | jq 'last')" = null ]
    run "$PTHFS" stats --sort name c.pth
    sed '1d;$d' <<<"$output" | awk '{ print $1 }' | LC_ALL=C sort -c
}

@test "--hist draws 64 bars at most under each tensor" {
    LC_ALL=C run "$PTHFS" stats --hist c.pth 'model/module.conv2.weight'
    [ "${#lines[@]}" -eq 3 ]
    [[ ${lines[2]} =~ ^\ +-0\.085[0-9]*\ [.:=+*#@-]+.*\ 0\.085[0-9]*$ ]]
    "$PTHFS" stats --hist --json c.pth 'model/module.conv2.weight' |
        jq -e '.tensors[0] | (.hist | length == 64) and (.hist | add == 4608) and .hist_min == .min'
}

@test "a tensor that cannot be read is told with the reason, the others are counted, and the exit code is 2" {
    run "$PTHFS" stats "$DATA/bad-tensor-offset-out.pt"
    [ "$status" -eq 2 ]
    [[ $output == *"! needs bytes 400..408 of storage 1"* ]]
    [[ $output == *"1 tensor could not be read"* ]]
    [[ ${lines[1]} == w* ]]
}

@test "wrong words get one line and 2" {
    for words in "--sort size c.pth" "c.pth nothing" "nowhere.pth" "--device tpu c.pth" "" "c.pth a b"; do
        # shellcheck disable=SC2086
        run "$PTHFS" stats $words
        echo "$words: $output"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "--device cuda without a driver says so, and auto takes the CPU" {
    run "$PTHFS" stats --device cuda c.pth
    [ "$status" -eq 0 ] && skip "there is a card here"
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    "$PTHFS" stats --device auto --json c.pth | jq -e '.device | startswith("cpu")'
}

@test "a key that would steer a terminal is shown escaped, and the columns stay aligned" {
    "$PTHFS" rename c.pth model/module.fc.bias "model/$(printf '\302\233')31m" >/dev/null
    run "$PTHFS" stats c.pth
    [ "$status" -eq 0 ]
    [[ $output == *'model/\xc2\x9b31m '* ]]
    [[ $output != *$'\302\233'* ]]
    [ "$(awk '{ print length }' <<<"$output" | sort -u | wc -l)" -eq 1 ]
    "$PTHFS" stats --json c.pth | jq -e 'any(.tensors[]; .name == "model/\u009b31m")'
}
