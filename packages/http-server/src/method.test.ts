import { expect, test } from 'vitest'
import { onlyReads } from './method.ts'

const override = 'x-http-method-override'

test.each([
  ['GET', '/a.json', undefined, true],
  ['OPTIONS', '/a.json', undefined, true],
  ['PUT', '/a.json', 'GET', false],
  ['POST', '/a.json', undefined, false],
  ['POST', '/a.json', 'get', true],
  ['POST', '/a.json', 'PATCH', false],
  ['POST', `/a.json?shallow=true&${override}=head`, undefined, true],
  ['POST', `/a.json?X-HTTP-Method-Override=GET`, undefined, true],
  // The header counts before the parameter, and what is in the path is none.
  ['POST', `/a.json?${override}=GET`, 'PUT', false],
  ['POST', `/a&${override}=GET.json`, undefined, false],
  ['POST', `/a.json?${override}=GET&b=%`, undefined, false],
])('whether %s %s only reads, with override %s: %s', (method, url, header, expected) => {
  const headers = header === undefined ? {} : { [override]: header }
  expect(onlyReads({ method, url, headers })).toBe(expected)
})
