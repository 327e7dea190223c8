import type { Command } from 'commander'
import { integerArgument } from '../arguments.ts'

const maxClients = 1_000_000
const daySeconds = 24 * 60 * 60
const tebibyteMiB = 1024 * 1024
const tenYearsHours = 10 * 365 * 24

/** Adds the options that say what clients may take, and how much is kept for streams to go on. */
export function addLimitOptions(command: Command): void {
  command
    .option(
      '--max-connections <number>',
      'connections at one time; more get 503',
      integerArgument(1, maxClients),
      10_000,
    )
    .option(
      '--max-streams <number>',
      'streams at one time; more get 503',
      integerArgument(1, maxClients),
      10_000,
    )
    .option(
      '--max-streams-per-address <number>',
      'streams of one client address at one time',
      integerArgument(1, maxClients),
      10_000,
    )
    .option(
      '--stream-keep-alive <seconds>',
      'time between two keep-alives of a stream',
      integerArgument(1, daySeconds),
      30,
    )
    .option(
      '--change-log-size <MiB>',
      'changes that are kept for streams that resume',
      integerArgument(1, tebibyteMiB),
      256,
    )
    .option(
      '--change-log-hours <hours>',
      'for how long they are kept at most',
      integerArgument(1, tenYearsHours),
      7 * 24,
    )
}
