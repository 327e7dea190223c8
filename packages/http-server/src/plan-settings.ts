import type { HttpLimits } from './limits.ts'

/** What a server was set to that decides about its answers. Each of its threads is told. */
export interface PlanSettings {
  /** Name of the one database that is served; `undefined` takes any. */
  readonly namespace: string | undefined
  /** Most bytes of the answer to a read; `Infinity` for any number. */
  readonly maxAnswerBytes: number
}

export function planSettings(
  { namespace }: { readonly namespace?: string },
  { maxAnswerBytes }: Required<HttpLimits>,
): PlanSettings {
  return { namespace, maxAnswerBytes }
}
