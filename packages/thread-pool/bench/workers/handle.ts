import process from 'node:process'

/** What the scenarios ask a worker to do. Everything else comes back as it is. */
export interface Order {
  op:
    | 'sleep'
    | 'exit'
    | 'throw'
    | 'reject'
    | 'throw later'
    | 'out of memory'
    | 'unclonable'
    | 'nested'
  ms?: number
  code?: number
}

/** The one function that every pool runs. */
export function handle(task: unknown): unknown {
  return isOrder(task) ? obey(task) : task
}

function isOrder(task: unknown): task is Order {
  return typeof task === 'object' && task !== null && 'op' in task
}

function obey({ op, ms = 0, code = 0 }: Order): unknown {
  switch (op) {
    case 'sleep':
      return new Promise((resolve) => {
        setTimeout(resolve, ms, ms)
      })
    case 'exit':
      return process.exit(code)
    case 'throw':
      throw new TypeError('thrown by the task')
    case 'reject':
      return Promise.reject(new TypeError('rejected by the task'))
    case 'throw later':
      setImmediate(() => {
        throw new Error('thrown outside of the task')
      })
      return new Promise(() => {})
    case 'out of memory':
      return fillMemory()
    case 'unclonable':
      return () => 1
    case 'nested':
      return nest(5000)
    default:
      op satisfies never
      return undefined
  }
}

// A thread has four times the stack of a process: it can write what cannot be read there.
function nest(depth: number): unknown {
  let value: unknown = depth
  for (let level = 0; level < depth; level++) value = { value }
  return value
}

function fillMemory(): never {
  const lists: unknown[] = []
  for (;;) lists.push(Array.from({ length: 1000 }, (_, index) => ({ index })))
}
