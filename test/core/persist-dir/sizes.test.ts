import {expect} from 'chai'
import {lstatSync, mkdirSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {sizeOf} from '../../../core/src/persist-dir/sizes.js'
import {temporaryFolder} from '../../support/fixtures.js'

describe('the size of a folder', () => {
  const folder = join(temporaryFolder(), 'folder')
  const link = join(temporaryFolder(), 'link')
  mkdirSync(join(folder, 'below'), {recursive: true})
  writeFileSync(join(folder, 'below', 'file'), Buffer.alloc(100_000))
  symlinkSync(folder, link)

  it('is that of what a symbolic link to it leads to', async () => {
    expect((await sizeOf(folder)).apparent).to.equal(100_000)
    expect(await sizeOf(link)).to.deep.equal(await sizeOf(folder))
  })

  it('leaves out what symbolic links in it lead to, even in a circle', async () => {
    const outer = temporaryFolder()
    symlinkSync(folder, join(outer, 'elsewhere'))
    symlinkSync(outer, join(outer, 'circle'))
    const links = ['elsewhere', 'circle'].map((name) => lstatSync(join(outer, name)).size)
    expect((await sizeOf(outer)).apparent).to.equal((links[0] ?? 0) + (links[1] ?? 0))
  })

  it('is 0 for what is not there, a dangling link included', async () => {
    const dangling = join(temporaryFolder(), 'dangling')
    symlinkSync(join(folder, 'nothing'), dangling)
    expect(await sizeOf(join(folder, 'nothing'))).to.deep.equal({allocated: 0, apparent: 0})
    expect(await sizeOf(dangling)).to.deep.equal({allocated: 0, apparent: 0})
  })
})
