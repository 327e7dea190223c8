import { describe, expect, test } from 'vitest'
import { toCanonical } from './canonical.ts'
import { ServerValue, nodeAt } from './node.ts'
import { parseJson } from './parse.ts'
import { resolveServerValues } from './server-value.ts'

function resolved(json: string, before: string): string {
  const current = parseJson(before).node
  const node = parseJson(json).node ?? 0
  return toCanonical(
    resolveServerValues(node, 1234, (keys) => nodeAt(current, keys)),
    'export',
  )
}

describe('resolveServerValues()', () => {
  test('timestamps become the time', () => {
    expect(resolved('{".sv":"timestamp"}', 'null')).toBe('1234')
    expect(resolved('{"a":[{".sv":"timestamp"}]}', '{"a":[5]}')).toBe('{"a":{"0":1234}}')
  })

  test('increments add to the number at their place', () => {
    const increment = '{".sv":{"increment":2}}'
    expect(resolved(increment, '40')).toBe('42')
    expect(resolved(increment, 'null')).toBe('2')
    expect(resolved(increment, '"40"')).toBe('2')
    expect(resolved(increment, 'true')).toBe('2')
    expect(resolved(increment, '{"a":40}')).toBe('2')
    expect(resolved(increment, '{".value":40,".priority":1}')).toBe('42')
    expect(resolved(`{"a":{"b":${increment}}}`, '{"a":{"b":1,"c":5}}')).toBe('{"a":{"b":3}}')
    expect(resolved('{".sv":{"increment":0.25}}', '1')).toBe('1.25')
    expect(resolved('{".sv":{"increment":-5}}', '5')).toBe('0')
  })

  test('priorities have places of their own', () => {
    const increment = '{".sv":{"increment":2}}'
    expect(resolved(`{"a":1,".priority":${increment}}`, '{".priority":5,"b":1}')).toBe(
      '{".priority":7,"a":1}',
    )
    expect(
      resolved(
        `{"a":{".value":${increment},".priority":${increment}}}`,
        '{"a":{".value":1,".priority":10}}',
      ),
    ).toBe('{"a":{".value":3,".priority":12}}')
  })

  test('a sum that is not finite is refused', () => {
    expect(() => resolveServerValues(new ServerValue(1e308), 0, () => 1e308)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_NUMBER' }),
    )
  })

  test('a value without any is given back as it is', () => {
    const { node } = parseJson('{"a":{"b":1}}')
    expect(node && resolveServerValues(node, 0, () => null)).toBe(node)
  })
})
