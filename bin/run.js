#!/usr/bin/env node
// The narrow entry: the whole of @oclif/core takes twice as long to load.
import {execute} from '@oclif/core/execute'

await execute({dir: import.meta.url})
