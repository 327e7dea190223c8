import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { ListenOptions, Server } from 'node:net'
import type { ServeOptions } from './serve-options.ts'

/**
 * Listens for a moment where a server is to listen, if its data folder is new or empty: none is to be made for one
 * that can't. Elsewhere nobody has to wait for it, and no client meets somebody who does not answer.
 * @throws what Node says about an address.
 */
export async function tryAddresses(options: ServeOptions): Promise<void> {
  if (!(await isNew(options.data))) return
  const { host, port, metricsHost, metricsPort } = options
  const addresses = [{ host, port }]
  if (metricsPort !== undefined) addresses.unshift({ host: metricsHost, port: metricsPort })
  const servers: Server[] = []
  try {
    // All at once: they could be the same one.
    for (const address of addresses) servers.push(await listen(address))
  } finally {
    for (const server of servers) await server[Symbol.asyncDispose]()
  }
}

async function isNew(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0
  } catch {
    // It is not there, or it can't be used, which is said when it is opened.
    return true
  }
}

async function listen(address: ListenOptions): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(address)
  await once(server, 'listening')
  return server
}
