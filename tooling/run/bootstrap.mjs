// `npm run bootstrap`: install the dependencies, as `npm start` and `npm test` do before anything else.
import { installIfNeeded } from './workspace.mjs'

installIfNeeded()
