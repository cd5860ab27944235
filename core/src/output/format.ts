const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** `1.1MiB`, as the Python tool prints sizes: one digit after the point, powers of 1024. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }

  return `${value.toFixed(1)}${UNITS[unit]}`
}

/** Reads a size that a person wrote, as `800MB`, `4g` or `1.5GiB`; undefined for what is none. Units are powers of 1024. */
export function parseBytes(text: string): number | undefined {
  const [, number, letter = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text.trim()) ?? []
  if (number === undefined) return undefined
  return Math.floor(Number(number) * 1024 ** ' kmgt'.indexOf(letter.toLowerCase() || ' '))
}

/** A size whose allocation is said only where the disk gives much less, in a sparse file: `17.0TiB (12.0MiB on disk)`. */
export function formatSize(apparent: number, allocated: number): string {
  const size = formatBytes(apparent)
  return allocated < apparent / 2 ? `${size} (${formatBytes(allocated)} on disk)` : size
}

/** `10,000`; by hand, because loading the locales of `Intl` takes longer than most commands. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** A number with its noun: `1 link`, `2 links`; with `formatCount` also `20,000 links`. */
export function counted(count: number, noun: string, format: (count: number) => string = String): string {
  return `${format(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** `33.33%` of a percentage from 0 to 100. */
export function formatPercent(percent: number): string {
  return `${percent.toFixed(2)}%`
}

/** `yes` or `no`. */
export function formatBoolean(value: boolean): string {
  return value ? 'yes' : 'no'
}
