// A client that puts a file as fast as it is taken.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { request as startRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'
import { tellParent } from '../child.ts'
import type { UploadRequest, UploadResult } from './uploads.ts'

process.on('message', (message: UploadRequest) => void put(message).then(tellParent))
tellParent({})

async function put({ port, path, file }: UploadRequest): Promise<UploadResult> {
  const { size } = await stat(file)
  const start = performance.now()
  const request = startRequest({
    host: '127.0.0.1',
    port,
    path: `${path}?print=silent`,
    method: 'PUT',
    headers: { 'Content-Length': size },
  })
  const answered = once(request, 'response')
  await pipeline(createReadStream(file), request)
  const [response] = (await answered) as [IncomingMessage]
  assert.equal(response.statusCode, 204)
  response.resume()
  await once(response, 'end')
  return { elapsedMs: performance.now() - start }
}
