import { expectTypeOf, test } from 'vitest'
import type { RunOptions, ThreadPool } from '../src/index.ts'
import type { TaskName, TaskResult, TaskValue } from '../src/index.ts'
import { defineWorker, move } from '../src/worker.ts'
import type { TaskContext } from '../src/worker.ts'
import type * as functions from './function-worker.ts'

// Compiled, never run: what is wrong here is an error of `tsc`.
function define() {
  return defineWorker({
    setup: () => ({ salt: 'abc' }),
    handlers: {
      default: (task: { a: number }) => task.a,
      hash: async (text: string) => Buffer.from(text),
      moved: (bytes: Uint8Array) => move(bytes),
      nothing: () => 'done' as const,
      perhaps: (text?: string) => text ?? 'none',
      salted: (text: string, { state }: TaskContext<{ salt: string }>) => text + state.salt,
    },
  })
}

type Worker = ReturnType<typeof define>

test('a typed pool knows names, tasks and results', () => {
  expectTypeOf<TaskName<Worker>>().toEqualTypeOf<
    'default' | 'hash' | 'moved' | 'nothing' | 'perhaps' | 'salted'
  >()
  expectTypeOf<TaskValue<Worker, 'hash'>>().toEqualTypeOf<string>()
  expectTypeOf<TaskValue<Worker, 'nothing'>>().toEqualTypeOf<undefined>()
  expectTypeOf<TaskValue<Worker, 'perhaps'>>().toEqualTypeOf<string | undefined>()
  expectTypeOf<TaskValue<Worker, 'salted'>>().toEqualTypeOf<string>()
  expectTypeOf<TaskResult<Worker, 'default'>>().toEqualTypeOf<number>()
  expectTypeOf<TaskResult<Worker, 'moved'>>().toEqualTypeOf<Uint8Array>()
  expectTypeOf<TaskResult<Worker, 'nothing'>>().toEqualTypeOf<'done'>()
})

test('a module of functions is a type as well', () => {
  expectTypeOf<TaskName<typeof functions>>().toEqualTypeOf<'default' | 'double'>()
  expectTypeOf<TaskValue<typeof functions, 'default'>>().toEqualTypeOf<{ a: number; b: number }>()
  expectTypeOf<TaskResult<typeof functions, 'double'>>().toEqualTypeOf<number>()
})

test('run() refuses what the worker does not take', () => {
  expectTypeOf<typeof misuse>().toBeFunction()
})

test('handlers know the type of what setup() returns, whatever that takes', () => {
  const stateful = (): unknown =>
    defineWorker({
      setup: ({ workerData }) => ({ salt: String(workerData) }),
      handlers: {
        hash(text: string, { state }) {
          expectTypeOf(state).toEqualTypeOf<{ salt: string }>()
          return text
        },
        length: async (text: string) => text.length,
      },
    })
  expectTypeOf(stateful).toBeFunction()
})

function misuse(pool: ThreadPool<Worker>, untyped: ThreadPool, options: RunOptions): void {
  expectTypeOf(pool.run({ a: 1 })).toEqualTypeOf<Promise<number>>()
  expectTypeOf(untyped.run({ anything: 1 }, { name: 'any' })).toEqualTypeOf<Promise<unknown>>()
  expectTypeOf(pool.run({ a: 1 }, { name: 'default' })).toEqualTypeOf<Promise<number>>()
  expectTypeOf(pool.run({ a: 1 }, { priority: 0 })).toEqualTypeOf<Promise<number>>()
  expectTypeOf(pool.run(undefined, { name: 'nothing' })).toEqualTypeOf<Promise<'done'>>()
  expectTypeOf(untyped.run(1, options)).toEqualTypeOf<Promise<unknown>>()
  // @ts-expect-error a string is no task of the default handler
  void pool.run('text')
  // @ts-expect-error no such handler
  void pool.run('text', { name: 'hush' })
  // @ts-expect-error no such handler, though the default one would take the task
  void pool.run({ a: 1 }, { name: 'hush' })
  // @ts-expect-error a number is no text
  void pool.run(1, { name: 'hash' })
  // @ts-expect-error what the default handler takes is no text
  void pool.run({ a: 1 }, { name: 'hash' })
}
