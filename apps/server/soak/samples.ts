import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What a server needs at one moment. */
export interface Sample {
  readonly part: string
  /** Since the beginning of the soak. */
  readonly ms: number
  readonly operations: number
  readonly fileBytes: number
  /** Memory of the process that serves, without the mapped file; undefined where the system doesn't say, or it is not there. */
  readonly residentBytes: number | undefined
  readonly descriptors: number | undefined
}

export function fileBytes(folder: string): number {
  return statSync(join(folder, 'data.mdb'), { throwIfNoEntry: false })?.size ?? 0
}

/** Memory of its own: the data file, which is mapped, is not counted. */
export function residentBytes(pid: number): number | undefined {
  try {
    const [, kB] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return kB === undefined ? undefined : Number(kB) * 1024
  } catch {
    return undefined
  }
}

/** What each open descriptor of a process is, as the system names it; undefined where it doesn't. */
export function openDescriptors(pid: number): readonly string[] | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((number) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${number}`)]
      } catch {
        // Closed meanwhile.
        return []
      }
    })
  } catch {
    return undefined
  }
}

/** The kinds of descriptors and how many there are of each. */
export function descriptorKinds(names: readonly string[]): ReadonlyMap<string, number> {
  const kinds = new Map<string, number>()
  for (const name of names) {
    const kind = name.replace(/\d+/g, '').replace(/\.answer-\S+/, '.answer')
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  return kinds
}
