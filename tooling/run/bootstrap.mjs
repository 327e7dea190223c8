// `npm run bootstrap`: install the dependencies, as `npm start` and `npm test` do before anything else.
import process from 'node:process'
import { installIfNeeded } from './workspace.mjs'

process.exitCode = installIfNeeded() ? 0 : 1
