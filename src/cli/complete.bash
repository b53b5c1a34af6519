_clap_complete_ID() {
    local IFS=$'\013'
    local index=${COMP_CWORD} prefix= i piece rest line=${COMP_LINE:0:COMP_POINT}
    local words=("${COMP_WORDS[@]}")
    if [[ -n $line ]]; then
        # bash takes the line apart at = and : too: what stands together in it is one word.
        words=() index=-1
        for ((i = 0; i <= COMP_CWORD; i++)); do
            rest=${line#"${line%%[![:space:]]*}"}
            piece=${rest:0:${#COMP_WORDS[i]}}
            if ((i == 0)) || [[ $rest != "$line" || -z $line ]]; then
                index=$((index + 1))
                words[index]=$piece
            else
                words[index]+=$piece
            fi
            line=${rest:${#piece}}
        done
        if [[ $COMP_WORDBREAKS == *[=:]* ]]; then
            prefix=${words[index]%"${words[index]##*[=:]}"}
        fi
    fi
    # What is quoted is asked for as it is meant; bash puts an open quote back by itself.
    local quote= typed=${words[index]}
    case $typed in [\"\']*) quote=${typed:0:1} ;; esac
    typed=${typed#"$quote"}
    words[index]=${typed//\\ / }
    local space=true
    if compopt +o nospace 2>/dev/null; then
        space=false
    fi
    COMPREPLY=($(
        _CLAP_IFS="$IFS" \
        _CLAP_COMPLETE_INDEX="$index" \
        _CLAP_COMPLETE_COMP_TYPE="$COMP_TYPE" \
        _CLAP_COMPLETE_SPACE="$space" \
        LAIN_COMPLETE=bash \
        NAME -- "${words[@]}"
    ))
    if [[ $? != 0 ]]; then
        unset COMPREPLY
    else
        if [[ $space == false && "${COMPREPLY-}" =~ [=/:]$ ]]; then
            compopt -o nospace
        fi
        # What stands before the last of them is in the line already.
        COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
        for i in "${!COMPREPLY[@]}"; do
            if [[ -z $quote && ${COMPREPLY[i]} == *[[:space:]]* ]]; then
                COMPREPLY[i]=$(printf %q "${COMPREPLY[i]}")
            fi
        done
    fi
}
if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _clap_complete_ID NAME
else
    complete -o nospace -o bashdefault -F _clap_complete_ID NAME
fi
