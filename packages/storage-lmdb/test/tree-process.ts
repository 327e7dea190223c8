import { writeFileSync } from 'node:fs'
import type { OpenTreeOptions } from '../src/index.ts'
import { runProgram } from './program.ts'
import type { Program } from './program.ts'

/** A tree in a process of its own, whose calls to the system go through `failing-calls.c`. */
export class TreeProcess implements AsyncDisposable {
  readonly #program: Program
  readonly #words: string

  /**
   * @param library What was built of `failing-calls.c`.
   * @param words A file for what it is told.
   * @param errors A file for what it says about errors. Default: that is of no interest, since LMDB prints each error too.
   */
  constructor(options: OpenTreeOptions, library: string, words: string, errors?: string) {
    this.#words = words
    this.fail(0, 0)
    this.#program = runProgram('command-tree', [JSON.stringify(options)], {
      env: { LD_PRELOAD: library, FAILING_CALLS: words },
      errors: errors ?? '/dev/null',
    })
  }

  /** Lets calls of a kind fail from now on, but for the first few. */
  fail(call: number, errno: number, after = 0): void {
    const bytes = Buffer.from(Int32Array.of(call, errno, after).buffer)
    writeFileSync(this.#words, bytes, { flag: 'a+' })
    writeFileSync(this.#words, bytes, { flag: 'r+' })
  }

  async answer(): Promise<unknown> {
    return JSON.parse((await this.#program.line()) ?? '"ended"') as unknown
  }

  async call(...command: readonly [name: string, ...args: unknown[]]): Promise<unknown> {
    this.#program.process.stdin.write(`${JSON.stringify(command)}\n`)
    return this.answer()
  }

  async finish(): Promise<number | null> {
    return this.#program.finish()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.kill()
  }
}
