import {describeWriting} from './support/judged-writing.js'

for (const version of ['0.4.24', '0.5.5', '0.5.23', '0.6.3'] as const) describeWriting(version)
