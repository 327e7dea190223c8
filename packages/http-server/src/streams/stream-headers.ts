import type { RawHeaders } from '../message.ts'

/**
 * Headers of a stream. What stands on its way may neither keep it back (`X-Accel-Buffering` is for nginx)
 * nor change it, such as by compressing: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.6
 */
export const streamHeaders: RawHeaders = [
  'Content-Type',
  'text/event-stream; charset=utf-8',
  'Cache-Control',
  'no-cache, no-transform',
  'X-Accel-Buffering',
  'no',
  'Access-Control-Allow-Origin',
  '*',
]
