export {escapeControls} from './escape.js'
export {formatBoolean, formatBytes, formatCount, formatPercent} from './format.js'
export {toJson} from './json.js'
export {type TableData} from './table.js'
