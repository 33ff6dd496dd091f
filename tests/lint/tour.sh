#!/usr/bin/env bash
# The source tour in README.md (rows that begin with "| `src/ROOM/` |") names every folder of src/,
# and only those, in the order of the table of rooms.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck disable=SC2016 # the backquotes are Markdown's
toured=$(sed -nE 's/^\| `src\/([a-z0-9_]+)\/` \|.*/\1/p' README.md 2>/dev/null)
if [ -z "$toured" ]; then
    echo "# README.md has no source tour yet" >&2
    exit 0
fi
rooms=$(sed -nE 's/^([a-z0-9_]+) *\|.*/\1/p' tests/lint/rooms | grep -vx room)
folders=$(find src -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort)
bad=0
differ() { # WHAT ONE OTHER
    [ "$2" = "$3" ] && return
    diff <(echo "$2") <(echo "$3") | sed -n "s|^[<>] |$1: src/|p"
    bad=1
}
differ 'in README.md or in src, not in both' "$(sort <<<"$toured")" "$folders"
[ $bad -ne 0 ] || differ 'README.md has another order than tests/lint/rooms' "$toured" "$rooms"
exit $bad
