import {expect} from 'chai'

import type {Catalog, Collection} from '../../../core/src/catalog/catalog.js'

import {selectCollection} from '../../../core/src/catalog/select-collection.js'
import {failure} from '../sqlite/support.js'

function collection(tenant: string, database: string, name: string): Collection {
  return {
    database,
    dimension: 8,
    id: `${tenant}/${database}/${name}`,
    metadata: null,
    metadataSegment: undefined,
    name,
    parameterSources: {configJson: null, schemaJson: null, segmentMetadata: {}},
    tenant,
    topic: '',
    vectorSegment: undefined,
  }
}

const catalog: Catalog = {
  collections: [
    collection('acme', 'prod', 'docs'),
    collection('acme', 'test', 'docs'),
    collection('acme', 'prod', 'unique'),
    collection('default_tenant', 'other', 'docs'),
    collection('default_tenant', 'default_database', 'docs'),
    collection('acme', 'prod', 'twice'),
    collection('other', 'prod', 'twice'),
  ],
  segments: [],
}

describe('choosing a collection', () => {
  const chosen: [title: string, choice: Parameters<typeof selectCollection>[1], id: string][] = [
    ['the one of the default database first', {name: 'docs'}, 'default_tenant/default_database/docs'],
    ['a name that is unique anywhere', {name: 'unique'}, 'acme/prod/unique'],
    ['what tenant and database name', {database: 'test', name: 'docs', tenant: 'acme'}, 'acme/test/docs'],
    ['what the database alone tells apart', {database: 'other', name: 'docs'}, 'default_tenant/other/docs'],
    ['what the tenant alone tells apart', {name: 'twice', tenant: 'other'}, 'other/prod/twice'],
    [
      'the default database of the default tenant',
      {name: 'docs', tenant: 'default_tenant'},
      'default_tenant/default_database/docs',
    ],
  ]
  for (const [title, choice, id] of chosen) {
    it(`takes ${title}`, () => {
      expect(selectCollection(catalog, choice).id).to.equal(id)
    })
  }

  it('refuses what is ambiguous, and lists the candidates', async () => {
    for (const [choice, candidates] of [
      [{name: 'twice'}, ['acme/prod/twice', 'other/prod/twice']],
      [{name: 'docs', tenant: 'acme'}, ['acme/prod/docs', 'acme/test/docs']],
    ] as const) {
      const error = await failure('usage', async () => selectCollection(catalog, choice))
      for (const candidate of candidates) expect(error.message).to.include(candidate)
      expect(error.next).to.include('--tenant')
    }
  })

  it('never takes one of another tenant or database than was named', async () => {
    const elsewhere = await failure('not-found', async () =>
      selectCollection(catalog, {database: 'prod', name: 'unique', tenant: 'default_tenant'}),
    )
    expect(elsewhere.message).to.equal(
      'There is no collection "unique" in database "prod" of tenant "default_tenant".',
    )
    expect(elsewhere.next).to.equal('It exists as acme/prod/unique.')
    const nowhere = await failure('not-found', async () => selectCollection(catalog, {name: 'doc'}))
    expect(nowhere.next).to.include('acme/prod/docs')
    const empty = await failure('not-found', async () =>
      selectCollection({collections: [], segments: []}, {name: 'x'}),
    )
    expect(empty.next).to.equal('The directory has no collections.')
  })
})
