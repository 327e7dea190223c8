import type * as Http from 'node:http'
import type * as Http2 from 'node:http2'
import process from 'node:process'
import type * as Tls from 'node:tls'

/**
 * Node's `node:http`, without the import: that reads every export of the module, and for one of them Node loads
 * its `fetch`, up to 40 ms of processor time at each start.
 */
export const http: typeof Http = process.getBuiltinModule('node:http')

/** Only servers with TLS need it, and what it takes to load it. */
export function tls(): typeof Tls {
  return process.getBuiltinModule('node:tls')
}

/** As {@link tls}. */
export function http2(): typeof Http2 {
  return process.getBuiltinModule('node:http2')
}
