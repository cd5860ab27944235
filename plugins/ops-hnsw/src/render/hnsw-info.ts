import {formatBoolean, formatBytes, formatCount, formatPercent, type TableData} from '@chops/core/output'

import type {HnswInfo} from '../services/hnsw-info.js'

/** The 18 metrics; with a walked graph also its reachability, degrees and levels. */
export function hnswInfoTables(info: HnswInfo): TableData[] {
  return info.graph ? [details(info), ...graphTables(info.graph)] : [details(info)]
}

function details(info: HnswInfo): TableData {
  return {
    columns: ['Metric', 'Value'],
    rows: [
      ['Space', info.space],
      ['Dimensions', info.dimensions === null ? 'none yet' : String(info.dimensions)],
      ['EF Construction', String(info.efConstruction)],
      ['EF Search', String(info.efSearch)],
      ['M', String(info.m)],
      ['Number of threads', String(info.numberOfThreads)],
      ['Resize factor', String(info.resizeFactor)],
      ['Batch size', String(info.batchSize)],
      ['Sync threshold', String(info.syncThreshold)],
      ['Segment ID', info.segmentId ?? 'missing'],
      ['Path', info.path ?? 'missing'],
      ['Has metadata', formatBoolean(info.hasMetadata)],
      ['Number of elements', formatCount(info.numberOfElements)],
      ['Max elements', formatCount(info.maxElements)],
      ['Total elements added', formatCount(info.totalElementsAdded)],
      ['Collection ID', info.collectionId],
      ['Index size', formatBytes(info.indexSize)],
      ['Fragmentation level', formatPercent(info.fragmentationLevel)],
    ],
    title: `HNSW details for collection ${info.collection} in ${info.database} database of tenant ${info.tenant}`,
  }
}

function graphTables(graph: NonNullable<HnswInfo['graph']>): TableData[] {
  const {degree} = graph
  return [
    {
      columns: ['Metric', 'Value'],
      rows: [
        ['Live elements', formatCount(graph.live)],
        ['Reachable from the entry point', formatCount(graph.reachable)],
        ['Unreachable', formatCount(graph.unreachable)],
        ['Live elements without an inbound link', formatCount(graph.liveWithoutInboundLink)],
        ['Links per element (min / mean / max)', `${degree.min} / ${degree.mean.toFixed(1)} / ${degree.max}`],
      ],
      title: 'Graph',
    },
    {
      columns: ['Links', 'Elements'],
      rows: degree.histogram.flatMap((elements, links) =>
        elements === 0 ? [] : [[String(links), formatCount(elements)]],
      ),
      title: 'Degree distribution at level 0',
    },
    {
      columns: ['Highest level', 'Elements'],
      rows: graph.levels.map((elements, level) => [String(level), formatCount(elements)]),
      title: 'Levels',
    },
  ]
}
