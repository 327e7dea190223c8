import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { banner } from './banner.ts'

test('banner() shows where the data is and how to reach it', () => {
  const facts = {
    version: '1.2.3',
    url: 'http://[::1]:8080',
    folder: '/srv/tree',
    durability: 'full',
  }
  expect(stripVTControlCharacters(banner(facts))).toBe(`
  Elkyn DB 1.2.3

  Data   /srv/tree (durability: full)
  Tree   http://[::1]:8080/.json
  Write  curl -X PUT -d '"world"' http://[::1]:8080/hello.json
  Read   curl http://[::1]:8080/hello.json
  Stop   Ctrl-C

`)
})
