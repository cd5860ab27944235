export {escapeControls} from './escape.js'
export {counted, formatBoolean, formatBytes, formatCount, formatPercent, formatSize} from './format.js'
export {toJson} from './json.js'
export {type TableData} from './table.js'
