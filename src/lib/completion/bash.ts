import type {Completion} from './complete.js'

import {quoteFor, type ShellWord} from './shell-words.js'

/**
 * Completion for bash 4 and newer. bash goes on with names of files itself when there is no reply; it splits words at `:`
 * and `=` too (COMP_WORDBREAKS), so chops is told the piece that a reply replaces.
 */
export const BASH_SCRIPT = `# chops completion for bash: source <(chops autocomplete bash)
_chops() {
  local answer
  mapfile -t answer < <(chops complete bash -- "\${COMP_LINE}" "\${COMP_POINT}" "\${COMP_WORDS[COMP_CWORD]}" 2>/dev/null </dev/null)
  COMPREPLY=()
  case \${answer[0]} in
    folders) compopt -o dirnames ;;
    files) compopt -o default ;;
    *) COMPREPLY=("\${answer[@]:1}") ;;
  esac
}
complete -F _chops chops
`

/**
 * The answer as the script reads it: how to go on, and replies that replace bash's own piece of the current word, which
 * may begin in the middle of it.
 */
export function bashAnswer({kind, prefix, values}: Completion, current: ShellWord, piece: string): string[] {
  const replaced = /^[:=]$/.test(piece) ? '' : piece
  const kept = current.raw.slice(0, current.raw.length - replaced.length)
  const replies = values
    .map(({value}) => quoteFor(current.quote, prefix + value))
    .filter((reply) => reply.startsWith(kept))
    .map((reply) => reply.slice(kept.length))
  return [kind, ...replies]
}
