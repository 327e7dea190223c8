// The same few operations on every pool.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Worker as JestWorker } from 'jest-worker'
import { Piscina } from 'piscina'
import { FixedThreadPool } from 'poolifier'
import { Tinypool } from 'tinypool'
import workerpool from 'workerpool'
import { ThreadPool } from '../src/index.ts'
import type { worker } from './workers/elkyn.ts'

/** A pool that runs `workers/handle.ts`. */
export interface OpenPool {
  run(task: unknown): Promise<unknown>
  /** The gentlest end that it offers. */
  close(): Promise<unknown>
  destroy(): Promise<unknown>
}

/** How a pool is made. */
export interface PeerOptions {
  threads: number
  /** Tasks that a thread has at a time, where the pool can. */
  concurrency?: number
  /** Piscina: how threads wait. */
  atomics?: 'sync' | 'async' | 'disabled'
  /** Old space of a thread, in MiB, where the pool can limit it. */
  memoryMb?: number
}

/** A package that has a pool. */
export interface Peer {
  name: string
  version: string
  /** How `close()` is called there. */
  closeCall: string
  open(options: PeerOptions): OpenPool
}

function file(name: string): string {
  return fileURLToPath(new URL(`./workers/${name}.ts`, import.meta.url))
}

function version(name: string): string {
  const require = createRequire(import.meta.url)
  const manifest = require(
    fileURLToPath(new URL(`../node_modules/${name}/package.json`, import.meta.url)),
  )
  return String((manifest as { version: unknown }).version)
}

function limits({ memoryMb }: PeerOptions): {
  resourceLimits?: { maxOldGenerationSizeMb: number }
} {
  return memoryMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }
}

/** This package. */
export const elkyn: Peer = {
  name: '@elkyn/thread-pool',
  version: 'this commit',
  closeCall: 'close()',
  open(options) {
    const { threads, concurrency = 1 } = options
    const pool = new ThreadPool<typeof worker>({
      worker: file('elkyn'),
      threads,
      concurrentTasksPerWorker: concurrency,
      ...limits(options),
    })
    return {
      run: (task) => pool.run(task),
      close: () => pool.close(),
      destroy: () => pool.destroy(),
    }
  },
}

export const piscina: Peer = {
  name: 'piscina',
  version: version('piscina'),
  closeCall: 'close()',
  open(options) {
    const { threads, concurrency = 1, atomics = 'sync' } = options
    const pool = new Piscina({
      filename: file('function'),
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: concurrency,
      atomics,
      ...limits(options),
    })
    pool.on('error', () => {})
    return {
      run: (task) => pool.run(task),
      close: () => pool.close(),
      destroy: () => pool.destroy(),
    }
  },
}

export const tinypool: Peer = {
  name: 'tinypool',
  version: version('tinypool'),
  closeCall: 'destroy()',
  open(options) {
    const { threads, concurrency = 1 } = options
    const pool = new Tinypool({
      filename: file('function'),
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: concurrency,
      ...limits(options),
    })
    return {
      run: (task) => pool.run(task) as Promise<unknown>,
      close: () => pool.destroy(),
      destroy: () => pool.destroy(),
    }
  },
}

export const poolifier: Peer = {
  name: 'poolifier',
  version: version('poolifier'),
  closeCall: 'destroy()',
  open(options) {
    const { threads, concurrency } = options
    const pool = new FixedThreadPool(threads, file('poolifier'), {
      errorHandler: () => {},
      ...(concurrency === undefined
        ? {}
        : { enableTasksQueue: true, tasksQueueOptions: { concurrency } }),
      ...(options.memoryMb === undefined ? {} : { workerOptions: limits(options) }),
    })
    return {
      run: (task) => pool.execute(task),
      close: () => pool.destroy(),
      destroy: () => pool.destroy(),
    }
  },
}

export const workerpoolPeer: Peer = {
  name: 'workerpool',
  version: version('workerpool'),
  closeCall: 'terminate()',
  open(options) {
    const { threads } = options
    const pool = workerpool.pool(file('workerpool'), {
      minWorkers: threads,
      maxWorkers: threads,
      workerType: 'thread',
      ...(options.memoryMb === undefined ? {} : { workerThreadOpts: limits(options) }),
    })
    return {
      run: async (task) => pool.exec('handle', [task]),
      close: async () => pool.terminate(false),
      destroy: async () => pool.terminate(true),
    }
  },
}

export const jestWorker: Peer = {
  name: 'jest-worker',
  version: version('jest-worker'),
  closeCall: 'end()',
  open(options) {
    const { threads } = options
    const pool = new JestWorker(file('jest-worker'), {
      exposedMethods: ['handle'],
      numWorkers: threads,
      enableWorkerThreads: true,
      ...limits(options),
    }) as JestWorker & { handle(task: unknown): Promise<unknown> }
    return {
      run: (task) => pool.handle(task),
      close: () => pool.end(),
      destroy: () => pool.end(),
    }
  },
}
