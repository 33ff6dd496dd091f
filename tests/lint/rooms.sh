#!/usr/bin/env bash
# Every #include of the program's own headers must be one that its room may see (the table: rooms).
# A header of include/pthfs belongs to the room that publishes it; "..." stays in its own folder.
set -u
cd "$(dirname "$0")/../.." || exit 2
{ find include/pthfs src -type f \( -name '*.[ch]' -o -name '*.def' \) | sort |
    xargs grep -Hn '^[[:space:]]*#[[:space:]]*include'; } | awk '
function complain(what) { print place ": " what; bad = 1 }
FNR == NR {                                  # the table
    sub(/#.*/, "")
    if (split($0, col, "|") < 3) next
    gsub(/ /, "", col[1])
    known[col[1]] = 1
    for (n = split(col[2], list, " "); n > 0; n--) owner[list[n]] = col[1]
    for (n = split(col[3], list, " "); n > 0; n--) sees[col[1], list[n]] = 1
    sees[col[1], col[1]] = 1
    next
}
{
    split($0, part, ":")
    place = part[1] ":" part[2]
    dir = part[1]; sub(/\/[^\/]*$/, "", dir)
    name = part[1]; sub(/.*\//, "", name); sub(/\..*/, "", name)
    room = part[1] ~ /^include/ ? owner[name] : dir
    sub(/^src\//, "", room)
    if (!(room in known)) { complain("belongs to no room of the table"); next }
    if (match($0, /<pthfs\/[a-z0-9_]+\./)) {
        header = substr($0, RSTART + 7, RLENGTH - 8)
        if (!(header in owner)) complain("<pthfs/" header ".h> is in no room of the table")
        else if (!((room, owner[header]) in sees))
            complain(room " may not see <pthfs/" header ".h> (" owner[header] ")")
    } else if (match($0, /"[^"]*"/)) {
        header = substr($0, RSTART + 1, RLENGTH - 2)
        if (header ~ /\// || system("test -f " dir "/" header)) complain("\"" header "\" is not in " dir)
    }
}
END { exit bad }' tests/lint/rooms -
