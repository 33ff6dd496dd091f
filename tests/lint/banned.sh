#!/usr/bin/env bash
# What C here does not do, and scripts and texts do not say. An exception stands here by its file.
set -u
cd "$(dirname "$0")/../.." || exit 2
shopt -s lastpipe # so that report() below can set bad
here=tests/lint bad=0
# A POSIX extended regular expression for a call of one of these.
calls() { printf '(^|[^A-Za-z0-9_])(%s)[ \t]*\\(' "$1"; }
unsafe=$(calls 'strcpy|strcat|stpcpy|v?sprintf|gets|alloca|ato[ifl]|atoll|strtok|system|popen|dlopen|exec[lv]p?e?')
printing=$(calls 'printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror|exit|_exit|abort')

# report WHAT: the lines of standard input are findings.
report() { sed "s|^\([^:]*:[0-9]*\):.*|\1: $1|" | grep . && bad=1; }

code=$(find include src tests -path tests/.cache -prune -o -type f -name '*.[ch]' -print | sort | xargs awk -f $here/code.awk)
grep -E '^[^:]*:[0-9]+:.*//' <<<"$code" | report 'a // comment: only block comments here'
grep -E '^(src|include)/' <<<"$code" | grep -E "$unsafe" |
    grep -vE '^src/cli/mountinfo\.c:[0-9]+:.*exec' | # runs fusermount3
    grep -vE '^src/engine/cuda_driver\.c:[0-9]+:.*dlopen' | # the NVIDIA driver, by a fixed name
    report 'a call that is not used here (unbounded, or runs something)'
grep -E '^src/' <<<"$code" | grep -vE '^src/cli/|^src/fs/daemon\.c:' | grep -E "$printing" |
    report 'a room that is a library prints or exits'

texts=$(git ls-files -co --exclude-standard 2>/dev/null | grep . || find . -type f -not -path './build/*')
machine='/(work|opt|root)/|/tmp/(venv|b-)' # places of one machine
xargs -d '\n' grep -InE "(^|[^A-Za-z0-9_.)}])$machine" <<<"$texts" | grep -v "^$here/banned.sh:" |
    report 'a path of one machine'
if command -v shellcheck >/dev/null; then
    scripts=$(xargs -d '\n' grep -IlE '^#!.*[ /](ba|da)?sh' <<<"$texts" | grep -vE '\.(py|md)$')
    xargs -d '\n' shellcheck -f gcc -e SC1091 <<<"$scripts" || bad=1
fi
exit $bad
