import { execFileSync } from 'node:child_process'
import { chmod, lstat, readFile, readdir, symlink, writeFile as write } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { temporaryFolder } from '../test/temporary-folder.ts'
import type { TemporaryFolder } from '../test/temporary-folder.ts'
import { writeFile } from './output.ts'

let folder: TemporaryFolder

beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

async function* blocks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

test('writeFile() writes where a link leads, and keeps the link', async () => {
  await write(folder.file('old.json'), 'old')
  await symlink('old.json', folder.file('link'))
  await symlink('new.json', folder.file('dangling'))
  await writeFile(folder.file('link'), blocks('1'))
  await writeFile(folder.file('dangling'), blocks('2'))
  expect(await readFile(folder.file('old.json'), 'utf8')).toBe('1\n')
  expect(await readFile(folder.file('new.json'), 'utf8')).toBe('2\n')
  expect((await lstat(folder.file('link'))).isSymbolicLink()).toBe(true)
  expect((await lstat(folder.file('dangling'))).isSymbolicLink()).toBe(true)
  expect(await readdir(folder.path)).toEqual(['dangling', 'link', 'new.json', 'old.json'])
})

test('writeFile() lets nobody read a file who could not before', async () => {
  for (const mode of [0o600, 0o666]) {
    await write(folder.file('out.json'), 'old')
    await chmod(folder.file('out.json'), mode)
    await writeFile(folder.file('out.json'), blocks('1'))
    expect((await lstat(folder.file('out.json'))).mode & 0o777).toBe(mode)
  }
})

test('writeFile() writes to a pipe that is there', async () => {
  const pipe = folder.file('pipe')
  execFileSync('mkfifo', [pipe])
  const [read] = await Promise.all([readFile(pipe, 'utf8'), writeFile(pipe, blocks('[', ']'))])
  expect(read).toBe('[]\n')
  expect((await lstat(pipe)).isFIFO()).toBe(true)
})

test('writeFile() says why it cannot write, and leaves nothing', async () => {
  await expect(writeFile(folder.path, blocks('1'))).rejects.toMatchObject({
    message: `Cannot write ${folder.path}: it is a folder`,
  })
  expect(await readdir(folder.path)).toEqual([])
})
