import {expect} from 'chai'

import type {CollectionList} from '../../plugins/ops-snapshot/src/services/list-collections.js'

import {chops, chopsJson} from '../support/cli.js'
import {FIXTURES, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'

describe('collection list', () => {
  for (const name of FIXTURES) {
    it(`lists the collections of ${name} with the counts its engine gives`, async () => {
      const {expected, persistDir} = unpackFixture(name)
      const {code, json} = await chopsJson<CollectionList>(['collection', 'list', persistDir])
      expect(code).to.equal(0)
      expectToMatchSchema('collection-list', json)
      const found = json.collections.map(({database, id, name, records, tenant}) => ({
        count: records,
        database,
        id,
        name,
        tenant,
      }))
      const wanted = expected.collections.map(({count, database, id, name, tenant}) => ({
        count,
        database,
        id,
        name,
        tenant,
      }))
      expect(found).to.have.deep.members(wanted)
      const churned = json.collections.find((collection) => collection.name === 'churned')
      expect(churned).to.include({dimension: expected.dim, space: 'cosine'})
      const empty = json.collections.find((collection) => collection.name === 'empty')
      expect(empty).to.include({dimension: null, records: 0})
    })
  }

  it('lists the collections of one tenant and database', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const args = ['collection', 'list', persistDir, '--tenant', 'acme', '-d', 'prod']
    const {json} = await chopsJson<CollectionList>(args)
    expect(json.collections.map(({database, tenant}) => [tenant, database])).to.deep.equal([['acme', 'prod']])
    const {stdout} = await chops(args)
    expect(stdout).to.match(/│ churned │ acme +│ prod +│ [\da-f-]{36} │ 103 +│ 8 +│ l2 +│/)
  })

  it('says that there is none where no collection fits', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const {code, stdout} = await chops(['collection', 'list', persistDir, '--tenant', 'nobody'])
    expect(code).to.equal(0)
    expect(stdout).to.include('There is no collection.')
  })
})
