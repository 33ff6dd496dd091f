# bash completion for pthfs(1).

_pthfs_options() {
    # After -o: the last word of the comma separated list.
    local options="ro rw edit inplace compact validate=off validate=warn
        validate=strict device=cpu device=cuda device=auto salvage show_hidden noxattr max_names= uid= gid=
        umask= fmask= dmask= nonempty quiet verbose debug allow_other allow_root auto_unmount
        max_read= fsname= clone_fd max_threads= max_idle_threads= direct_io entry_timeout=
        attr_timeout= negative_timeout="
    local done=""
    [[ $1 == *,* ]] && done=${1%,*},
    compopt -o nospace
    mapfile -t COMPREPLY < <(compgen -P "$done" -W "$options" -- "${1##*,}")
}

_pthfs_mounts() {
    # Blanks in the table of mounts are \040.
    local point
    while read -r point; do
        printf '%b\n' "$point"
    done < <(awk '$3 == "fuse.pthfs" { print $2 }' /proc/mounts)
}

_pthfs() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local cmd=${COMP_WORDS[1]} flags i words=0
    local commands="mount umount status commit revert recover ls info check cat diff rename set rm compact"
    local edit="-o --output --dry-run --inplace --compact -v --verbose --help"
    COMPREPLY=()
    case " $commands " in
        *" $cmd "*) ;;
        *) cmd=mount ;;
    esac
    if [[ $prev == -o ]]; then
        _pthfs_options "$cur"
        return
    fi
    if [[ $cur == -* ]]; then
        case $cmd in
            mount) flags="-f -d -s -o -q -v -h -V --quiet --verbose --help --version" ;;
            umount) flags="-l -q --lazy --quiet --discard --help" ;;
            status) flags="--json --help" ;;
            commit) flags="-o --dry-run --inplace --compact --force --help" ;;
            revert | recover) flags="--help" ;;
            ls) flags="-l -o --long --json --help" ;;
            stats) flags="-o --json --hist --sort --device --help" ;;
            info) flags="-o --json --help" ;;
            check) flags="-q -o --quick --quiet --json --device --help" ;;
            cat) flags="-o --npy --text --help" ;;
            diff) flags="-q -a -o --brief --quiet --all --json --strip-prefix --atol --rtol --nan-equal
                --values --types --trust-crc --color --help" ;;
            rename) flags="--strip --add --regex --in $edit" ;;
            set) flags="--npy $edit" ;;
            rm) flags=$edit ;;
            compact) flags="--output --dry-run --help" ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
        return
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* || ${COMP_WORDS[i - 1]} == -o ]] || words=$((words + 1))
    done
    if [[ $cmd == umount ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_pthfs_mounts)" -- "$cur")
    elif [[ $cmd == status || $cmd == commit || $cmd == revert || $cmd == diff ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur"; compgen -W "$(_pthfs_mounts)" -- "$cur")
    elif [[ $words -ge 2 && $prev != --npy && ($cmd == cat || $cmd == rm || $cmd == set ||
        $cmd == rename) ]]; then
        # Tensors and values of the checkpoint.
        mapfile -t COMPREPLY < <(compgen -W "$(pthfs ls -- "${COMP_WORDS[2]}" 2>/dev/null |
            cut -f 1)" -- "$cur")
    else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ((COMP_CWORD == 1)) &&
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$commands" -- "$cur")
    fi
}

complete -F _pthfs pthfs
