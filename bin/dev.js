#!/usr/bin/env -S node --import tsx
// The root's commands from source; plugins run as they were built last (`npm run build`).
import {execute} from '@oclif/core'

await execute({development: true, dir: import.meta.url})
