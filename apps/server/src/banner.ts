import process from 'node:process'
import { styleText } from 'node:util'

export interface BannerFacts {
  readonly version: string
  readonly url: string
  readonly folder: string
  readonly durability: string
}

/** What a person at a terminal wants to know about a server that has just started. For standard error. */
export function banner({ version, url, folder, durability }: BannerFacts): string {
  const stream = process.stderr
  const rows = [
    ['Data', `${folder} (durability: ${durability})`],
    ['Tree', `${url}/.json`],
    ['Write', `curl -X PUT -d '"world"' ${url}/hello.json`],
    ['Read', `curl ${url}/hello.json`],
    ['Stop', 'Ctrl-C'],
  ] as const
  const lines = rows.map(
    ([name, text]) => `  ${styleText('dim', name.padEnd(6), { stream })} ${text}`,
  )
  return `\n  ${styleText('bold', `Elkyn DB ${version}`, { stream })}\n\n${lines.join('\n')}\n\n`
}
