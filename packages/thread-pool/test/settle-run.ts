// Run as a process by settle.test.ts: puts the pool through the scenario with this title.
import process from 'node:process'
import { settleHere } from './settle-here.ts'
import { scenarios } from './settle-suite.ts'

const [, , title] = process.argv
const scenario = scenarios.find((one) => one.title === title)
if (scenario === undefined) throw new RangeError(`There is no scenario "${title}"`)
console.log(JSON.stringify(await settleHere(scenario)))
