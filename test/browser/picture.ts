import type {Page} from 'puppeteer-core'

import {readFileSync, writeFileSync} from 'node:fs'
import pixelmatch from 'pixelmatch'
import {PNG} from 'pngjs'

const FOLDER = new URL('pictures/', import.meta.url)

/** How wide a line of text is: the same letters in another font make another page, which proves nothing. */
const TEXT_WIDTH = `(() => {
  const canvas = document.createElement('canvas').getContext('2d')
  canvas.font = getComputedStyle(document.body).font
  return canvas.measureText('Collections of chroma.sqlite3, 0123456789').width
})()`

const SIZE = `(({scrollHeight, scrollWidth}) => ({height: scrollHeight, width: scrollWidth}))(document.documentElement)`

export interface Comparison {
  /** Share of the pixels that a person would see differ, 0 to 1. */
  differing: number
  /** Where the picture lies that was compared with; UPDATE_SNAPSHOT=1 takes it anew. */
  reference: string
}

/**
 * Compares what a page looks like with the picture kept of it, a quarter of its size: a size on the disk may differ from
 * one file system to another, and weighs little in it.
 *
 * @returns undefined when the fonts of this machine are not those of the picture
 */
export async function comparePicture(page: Page, name: string): Promise<Comparison | undefined> {
  const reference = new URL(`${name}.png`, FOLDER)
  const fonts = new URL('text-width.json', FOLDER)
  const size = (await page.evaluate(SIZE)) as {height: number; width: number}
  const taken = PNG.sync.read(Buffer.from(await page.screenshot({clip: {...size, scale: 0.25, x: 0, y: 0}})))
  const textWidth = Number(await page.evaluate(TEXT_WIDTH))
  if (process.env.UPDATE_SNAPSHOT) {
    writeFileSync(reference, PNG.sync.write(taken))
    writeFileSync(fonts, `${JSON.stringify(textWidth)}\n`)
  }

  if (JSON.parse(readFileSync(fonts, 'utf8')) !== textWidth) return undefined
  const kept = PNG.sync.read(readFileSync(reference))
  const {height, width} = kept
  if (taken.width !== width || taken.height !== height) return {differing: 1, reference: reference.pathname}
  const different = pixelmatch(kept.data, taken.data, undefined, width, height, {threshold: 0.2})
  return {differing: different / (width * height), reference: reference.pathname}
}
