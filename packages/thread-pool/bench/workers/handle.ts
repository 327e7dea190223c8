import process from 'node:process'

/** What the scenarios ask a worker to do. Everything else comes back as it is. */
export interface Order {
  op: 'sleep' | 'exit' | 'throw' | 'reject' | 'throw later' | 'out of memory' | 'unclonable'
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
    default:
      op satisfies never
      return undefined
  }
}

function fillMemory(): never {
  const lists: unknown[] = []
  for (;;) lists.push(Array.from({ length: 1000 }, (_, index) => ({ index })))
}
