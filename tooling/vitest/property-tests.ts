import process from 'node:process'
import fc from 'fast-check'

// FC_SEED and FC_PATH replay a failure that fast-check printed; FC_NUM_RUNS searches longer.
const { FC_SEED: seed, FC_PATH: path, FC_NUM_RUNS: numRuns } = process.env

fc.configureGlobal({
  ...(seed === undefined ? {} : { seed: Number(seed) }),
  ...(path === undefined ? {} : { path }),
  ...(numRuns === undefined ? {} : { numRuns: Number(numRuns) }),
})
