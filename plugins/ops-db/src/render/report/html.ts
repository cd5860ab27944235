import {escapeControls} from '@chops/core/output'

/** Markup that is safe to put into a page: what `html` made, never text from a directory. */
export class Markup {
  constructor(readonly text: string) {}
}

type Part = Markup | number | readonly Markup[] | string

const ENTITIES: Record<string, string> = {'"': '&quot;', '&': '&amp;', "'": '&#39;', '<': '&lt;', '>': '&gt;'}

/** A template whose values are escaped unless they are markup already. */
export function html(literals: TemplateStringsArray, ...values: Part[]): Markup {
  const text = literals.map(
    (literal, index) => literal + (index < values.length ? textOf(values[index]) : ''),
  )
  return new Markup(text.join(''))
}

function textOf(value: Part | undefined): string {
  if (value === undefined) return ''
  if (value instanceof Markup) return value.text
  if (Array.isArray(value)) return value.map((part: Markup) => part.text).join('\n')
  return escapeControls(String(value)).replaceAll(/["&'<>]/g, (character) => ENTITIES[character] ?? '')
}
