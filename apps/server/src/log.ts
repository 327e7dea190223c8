import process from 'node:process'
import { styleText } from 'node:util'
import { pino } from 'pino'
import type { DestinationStream, Logger } from 'pino'
import type { LogLevel } from './serve-options.ts'

type Color = Parameters<typeof styleText>[0]

const colors: Record<string, Color> = {
  warn: 'yellow',
  error: 'red',
  fatal: ['bold', 'red'],
}

/** What is written to: a terminal is read by a person, anything else by a program. */
export interface LogStream {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** A log of JSON lines; on a terminal the same facts in words. */
export function createLog(level: LogLevel, stream: LogStream): Logger {
  const destination: DestinationStream =
    stream.isTTY === true ? { write: (line) => stream.write(terminalLine(line)) } : stream
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
}

/** One JSON line of the log as a person reads it: `21:03:11 warn  the words  fact=1`. */
function terminalLine(line: string): string {
  const { time, level, msg, err, ...facts } = JSON.parse(line) as Record<string, unknown>
  const color = colors[String(level)] ?? 'cyan'
  const parts = [
    styled('dim', new Date(String(time)).toTimeString().slice(0, 8)),
    styled(color, String(level).padEnd(5)),
    ...(msg === undefined ? [] : [inline(msg)]),
    ...Object.entries(facts).map(([name, fact]) => styled('dim', `${name}=${inline(fact)}`)),
  ]
  return `${parts.join('  ')}\n${stackOf(err)}`
}

/** With colors where standard error shows them; standard output may go somewhere else. */
function styled(color: Color, text: string): string {
  return styleText(color, text, { stream: process.stderr })
}

function inline(fact: unknown): string {
  return typeof fact === 'string' ? fact : JSON.stringify(fact)
}

function stackOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('stack' in error)) return ''
  return `${styled('dim', String(error.stack))}\n`
}
