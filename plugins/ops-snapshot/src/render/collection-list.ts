import {formatCount, type TableData} from '@chops/core/output'

import type {CollectionList} from '../services/list-collections.js'

export function collectionListTable({collections}: CollectionList): TableData {
  return {
    columns: ['Name', 'Tenant', 'Database', 'ID', 'Records', 'Dimension', 'Space'],
    rows: collections.map(({database, dimension, id, name, records, space, tenant}) => [
      name,
      tenant,
      database,
      id,
      formatCount(records),
      dimension === null ? '' : String(dimension),
      space,
    ]),
    title: 'Collections',
  }
}
