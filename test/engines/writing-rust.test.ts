import {describeWriting} from './support/judged-writing.js'

for (const version of ['1.0.16', '1.5.9'] as const) describeWriting(version)
