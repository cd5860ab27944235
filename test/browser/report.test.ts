import type {Browser, Page} from 'puppeteer-core'

import axe from 'axe-core'
import {expect} from 'chai'
import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'

import {copyOfFixture} from '../check/support.js'
import {chops} from '../support/cli.js'
import {temporaryFolder} from '../support/fixtures.js'
import {comparePicture} from './picture.js'

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** What a bar of each kind has to be seen in, on the light and the dark page. */
const SCHEMES = ['light', 'dark'] as const

// Scripts for the page, as text: the types of these tests know no document.
const DRAWN = `[...document.querySelectorAll('svg rect')].map((rect) => ({
  fill: getComputedStyle(rect).fill,
  isSeen: rect.getBoundingClientRect().width > 0,
}))`
// Where the directory lies and when it was measured differ from run to run.
const SAME_HEADER = `[...document.querySelectorAll('header p')].forEach((line) => { line.textContent = '/chroma-data' })`
const OVERFLOW = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'

describe('the page of db report, in a browser', function () {
  this.timeout(120_000)
  let browser: Browser
  let page: Page
  const asked: string[] = []
  const said: string[] = []

  before(async function () {
    const executablePath = BROWSERS.find((path) => existsSync(path))
    if (executablePath === undefined) {
      console.warn('There is no Chromium: what the page looks like is left out.')

      return this.skip()
    }

    const output = join(temporaryFolder(), 'report.html')
    const {code, stderr} = await chops(['db', 'report', copyOfFixture('chroma-1.5.9'), '-o', output])
    expect(code, stderr).to.equal(0)
    const {launch} = await import('puppeteer-core')
    browser = await launch({args: ['--no-sandbox'], executablePath})
    page = await browser.newPage()
    page.on('request', (request) => asked.push(request.url()))
    page.on('console', (message) => said.push(message.text()))
    await page.setViewport({height: 1200, width: 1000})
    await page.goto(pathToFileURL(output).href)
  })

  after(() => browser?.close())

  it('asks for nothing but itself, and breaks no rule of its own policy', () => {
    expect(asked).to.have.length(1)
    expect(said).to.deep.equal([])
  })

  for (const scheme of SCHEMES) {
    it(`draws its bars in colours, and axe finds no fault with it (${scheme})`, async () => {
      await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}])
      const drawn = (await page.evaluate(DRAWN)) as {fill: string; isSeen: boolean}[]
      expect(drawn.length).to.be.greaterThan(20)
      expect(drawn.filter(({fill}) => fill === 'rgb(0, 0, 0)')).to.deep.equal([])
      expect(drawn.some(({isSeen}) => isSeen)).to.equal(true)
      const violations = await faultsOf(page)
      expect(violations).to.deep.equal([])
    })
  }

  for (const width of [360, 1600]) {
    it(`needs no scrolling sideways at ${width} pixels`, async () => {
      await page.setViewport({height: 800, width})
      const overflow = await page.evaluate(OVERFLOW)
      expect(overflow).to.equal(0)
    })

    for (const scheme of SCHEMES) {
      it(`looks as it did at ${width} pixels (${scheme})`, async function () {
        const fresh = await browser.newPage()
        await fresh.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}])
        await fresh.setViewport({height: 800, width})
        await fresh.goto(page.url())
        await fresh.evaluate(SAME_HEADER)
        const compared = await comparePicture(fresh, `report-${width}-${scheme}`)
        await fresh.close()
        if (compared === undefined) {
          console.warn('The fonts here are not those of the picture: the comparison is left out.')

          return this.skip()
        }

        expect(compared.differing, compared.reference).to.be.below(0.01)
      })
    }
  }
})

/** Runs axe in the page: its own policy forbids scripts, so the browser is told to pass over it for this one. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const {violations} = (await page.evaluate('axe.run()')) as axe.AxeResults
  return violations.map(({help, id, nodes}) => `${id}: ${help} (${nodes[0]?.html})`)
}
