import type { StoreDescriptor, TreeStore } from '@elkyn/tree'
import { MemoryTreeStore } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { SimpleHttpServer, ThreadPoolHttpServer, createRequestHandler } from './index.ts'

const memory = new MemoryTreeStore()
const descriptor: StoreDescriptor = { module: 'file:///store.js', options: {} }

test.each([undefined, { store: memory }, descriptor])(
  'a server refuses %j for a store',
  (given) => {
    const store = given as unknown as TreeStore
    expect(() => new SimpleHttpServer({ store })).toThrow(TypeError)
    expect(() => createRequestHandler({ store })).toThrow(TypeError)
  },
)

test.each([undefined, { store: memory }, memory])('one with threads refuses %j', (given) => {
  const store = given as unknown as StoreDescriptor
  expect(() => new ThreadPoolHttpServer({ store })).toThrow(TypeError)
})
