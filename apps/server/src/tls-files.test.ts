import { writeFile } from 'node:fs/promises'
import type { TlsOptions } from '@elkyn/http-server'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../test/temporary-folder.ts'
import { readTlsFiles, watchTlsFiles } from './tls-files.ts'

const silentLog = { info: () => {}, warn: () => {} }

test('watchTlsFiles() finds what was renewed after it was read and before it was watched', async () => {
  await using folder = await temporaryFolder()
  const files = { cert: folder.file('cert.pem'), key: folder.file('key.pem') }
  for (const path of [files.cert, files.key]) await writeFile(path, 'old')
  const inUse = await readTlsFiles(files)
  await writeFile(files.cert, 'new')
  const { promise: renewed, resolve } = Promise.withResolvers<TlsOptions>()
  using _ = watchTlsFiles(files, inUse, silentLog, resolve)
  expect(await renewed).toEqual({ cert: Buffer.from('new'), key: Buffer.from('old') })
})
