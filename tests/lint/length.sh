#!/usr/bin/env bash
# Files of at most 600 lines, functions of at most 100 lines and a complexity of at most 30 (McCabe's,
# by pmccabe, which counts a switch as one). An exception stands here by its name, with its reason.
set -u
cd "$(dirname "$0")/../.." || exit 2
long_files=''     # file
long_functions='' # file:function
bad=0
files=$(find include src tests -path tests/.cache -prune -o -type f -name '*.[ch]' -print | sort)
while read -r lines file; do
    [[ $file == total || " $long_files " == *" $file "* || $lines -le 600 ]] && continue
    echo "$file: $lines lines; split it"
    bad=1
done < <(xargs wc -l <<<"$files")
if ! command -v pmccabe >/dev/null; then
    echo "# functions not measured: pmccabe is not installed" >&2
    exit $bad
fi
# modified complexity, traditional, statements, first line, lines, file(line): name
while IFS=$'\t' read -r complex _ _ _ lines place; do
    name="${place%%(*}:${place##*: }"
    [[ " $long_functions " == *" $name "* ]] && continue
    [ "$lines" -le 100 ] || { echo "$place is $lines lines long" && bad=1; }
    [ "$complex" -le 30 ] || { echo "$place has a complexity of $complex" && bad=1; }
done < <(grep '\.c$' <<<"$files" | xargs pmccabe 2>/dev/null)
exit $bad
