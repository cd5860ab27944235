import type {Completion} from './complete.js'

/** Completion for zsh, which quotes and matches by itself. */
export const ZSH_SCRIPT = `#compdef chops
# chops completion for zsh: source <(chops autocomplete zsh)
_chops() {
  local line
  local -a answer described
  answer=("\${(@f)$(chops complete zsh -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null </dev/null)}")
  compset -P "\${answer[2]}"
  case \${answer[1]} in
    folders) _path_files -/ ;;
    files) _files ;;
    *)
      for line in "\${(@)answer[3,-1]}"; do described+=("$line"); done
      _describe -t values value described
      ;;
  esac
}
compdef _chops chops
`

/** The answer as the script reads it: how to go on, a pattern for what stays of the word, and values as `_describe` takes them. */
export function zshAnswer({kind, prefix, values}: Completion): string[] {
  const kept = prefix === '' ? '' : `*${prefix.at(-1)}`
  return [
    kind,
    kept,
    ...values.map(({description, value}) => {
      const escaped = value.replaceAll(/[:\\]/g, String.raw`\$&`)
      return description === undefined ? escaped : `${escaped}:${description}`
    }),
  ]
}
