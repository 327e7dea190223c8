import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { key } from '../test/arbitraries.ts'
import {
  childPath,
  decodeUrlPath,
  isAncestor,
  joinPath,
  parentPath,
  parsePath,
  pathDepth,
  pathKeys,
  pathsConflict,
  relativePath,
  rootPath,
  splitPriorityPath,
} from './path.ts'

const keys = fc.array(key, { maxLength: 6 })
const path = keys.map((parts) => parsePath(parts.join('/')))

function codeOf(body: () => unknown): unknown {
  try {
    body()
    return undefined
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

describe('parsePath()', () => {
  test('refuses what is no text, as JavaScript may give it', () => {
    const message = 'Invalid path: it has to be a text such as "/users/ada"'
    for (const wrong of [undefined, null, 5, ['/a']]) {
      expect(() => parsePath(wrong as unknown as string)).toThrow(new TypeError(message))
    }
  })

  test('it gives the canonical form', () => {
    for (const text of ['/a/b', 'a/b', '/a/b/', '//a///b//']) expect(parsePath(text)).toBe('/a/b')
    for (const text of ['/', '', '///']) expect(parsePath(text)).toBe('/')
    expect(parsePath('/a b/@:,é😀\\"')).toBe('/a b/@:,é😀\\"')
  })

  test('it refuses keys that no tree holds', () => {
    for (const character of [
      '.',
      '$',
      '#',
      '[',
      ']',
      '\u0000',
      '\n',
      '\u001f',
      '\u007f',
      '\ud800',
    ]) {
      expect(codeOf(() => parsePath(`/a/x${character}`))).toBe('ERR_INVALID_PATH')
      expect(codeOf(() => parsePath(`/${'long'.repeat(80)}/x${character}`))).toBe(
        'ERR_INVALID_PATH',
      )
    }
    expect(codeOf(() => parsePath('/a/.priority'))).toBe('ERR_INVALID_PATH')
  })

  test('it limits a key to 768 bytes and a path to 32 keys', () => {
    expect(parsePath('é'.repeat(384))).toBe(`/${'é'.repeat(384)}`)
    expect(codeOf(() => parsePath('é'.repeat(385)))).toBe('ERR_PATH_TOO_LONG')
    expect(codeOf(() => parsePath(`a/${'x'.repeat(769)}`))).toBe('ERR_PATH_TOO_LONG')
    const long = Array.from({ length: 32 }, () => 'x'.repeat(768)).join('/')
    expect(parsePath(long)).toBe(`/${long}`)
    expect(codeOf(() => parsePath(`${long}/y`))).toBe('ERR_PATH_TOO_LONG')
    expect(parsePath('/a'.repeat(32))).toBe('/a'.repeat(32))
    expect(codeOf(() => parsePath('/a'.repeat(33)))).toBe('ERR_PATH_TOO_LONG')
    expect(codeOf(() => parsePath('/abc'.repeat(33)))).toBe('ERR_PATH_TOO_LONG')
  })

  test('it takes a priority as the last part when told to', () => {
    const parse = (text: string) => parsePath(text, { priority: true })
    expect(parse('/a/.priority')).toBe('/a/.priority')
    expect(parse('.priority/')).toBe('/.priority')
    expect(parse(`${'/a'.repeat(32)}/.priority`)).toBe(`${'/a'.repeat(32)}/.priority`)
    expect(codeOf(() => parse('/.priority/a'))).toBe('ERR_INVALID_PATH')
    expect(codeOf(() => parse('/.priority/.priority'))).toBe('ERR_INVALID_PATH')
    expect(codeOf(() => parse('/a/.value'))).toBe('ERR_INVALID_PATH')
  })

  test('keys joined and parsed are the same keys', () => {
    fc.assert(
      fc.property(keys, (parts) => {
        expect(pathKeys(parsePath(parts.join('/')))).toEqual(parts)
      }),
    )
  })
})

describe('decodeUrlPath()', () => {
  test('it decodes each segment once', () => {
    expect(decodeUrlPath('/a%20b/%C3%A9+')).toBe('/a b/é+')
    expect(decodeUrlPath('/100%25/%2541')).toBe('/100%/%41')
    expect(decodeUrlPath('/users//jack/')).toBe('/users/jack')
    expect(decodeUrlPath('/a/%2Epriority')).toBe('/a/.priority')
    expect(decodeUrlPath('/a/.priority')).toBe('/a/.priority')
    expect(decodeUrlPath('')).toBe('/')
  })

  test('it refuses what is broken or no key', () => {
    const broken = ['%', '%2', '%zz', '%C3', '%ED%A0%80', '%C0%AF', '%FF']
    const forbidden = [
      '%2F',
      'a%2fb',
      '%5C',
      '\\',
      '%00',
      '%0A',
      '%7F',
      '..',
      '%2e%2e',
      '$a',
      '%5B',
    ]
    for (const segment of [...broken, ...forbidden]) {
      expect(codeOf(() => decodeUrlPath(`/a/${segment}/b`))).toBe('ERR_INVALID_PATH')
    }
  })

  test('it measures keys as they are decoded', () => {
    expect(decodeUrlPath(`/${'%C3%A9'.repeat(384)}`)).toBe(`/${'é'.repeat(384)}`)
    expect(codeOf(() => decodeUrlPath(`/${'%C3%A9'.repeat(385)}`))).toBe('ERR_PATH_TOO_LONG')
    expect(codeOf(() => decodeUrlPath('/%61'.repeat(33)))).toBe('ERR_PATH_TOO_LONG')
  })

  test('it undoes encodeURIComponent', () => {
    const urlKeys = fc.array(
      key.filter((text) => !text.includes('\\')),
      { maxLength: 6 },
    )
    fc.assert(
      fc.property(urlKeys, (parts) => {
        const url = parts.map((part) => `/${encodeURIComponent(part)}`).join('')
        expect(pathKeys(decodeUrlPath(url))).toEqual(parts)
      }),
    )
  })

  test('it takes a backslash where it may', () => {
    expect(decodeUrlPath('/a%5Cb/\\c/d', { backslash: true })).toBe('/a\\b/\\c/d')
    expect(codeOf(() => decodeUrlPath('/a%2F%5C', { backslash: true }))).toBe('ERR_INVALID_PATH')
    expect(codeOf(() => decodeUrlPath('/a%5C', {}))).toBe('ERR_INVALID_PATH')
  })
})

test('an error about a path names the key and the path', () => {
  const thrownBy = (text: string): unknown => {
    try {
      return parsePath(text)
    } catch (error) {
      return error
    }
  }
  expect(thrownBy('users/a.b/c/')).toMatchObject({
    message: 'Invalid path: a key cannot hold "." ("a.b" in "users/a.b/c/")',
    path: '/users/a.b/c',
  })
  expect(thrownBy('a/\u007f')).toMatchObject({
    message: 'Invalid path: a key cannot hold "\\u007f" ("\u007f" in "a/\u007f")',
  })
  const long = 'k'.repeat(769)
  expect(thrownBy(`/a/${long}`)).toMatchObject({
    message: `Invalid path: a key cannot have more than 768 bytes ("${'k'.repeat(100)}…" in "/a/${'k'.repeat(97)}…")`,
    path: `/a/${long}`,
  })
  expect(thrownBy('a/'.repeat(33))).toMatchObject({ path: '/a'.repeat(33) })
})

describe('parts of paths', () => {
  test('parent and child take a path apart and put it together', () => {
    fc.assert(
      fc.property(path, key, (parent, name) => {
        const child = childPath(parent, name)
        expect(child).toBe(joinPath(parent, name))
        expect(parentPath(child)).toBe(parent)
        expect(pathDepth(child)).toBe(pathDepth(parent) + 1)
      }),
    )
    expect(parentPath(rootPath)).toBe(undefined)
  })

  test('joinPath() takes several keys and checks them', () => {
    expect(joinPath(parsePath('/a'), 'b/c/')).toBe('/a/b/c')
    expect(joinPath(rootPath, '/b')).toBe('/b')
    expect(joinPath(parsePath('/a'), '/')).toBe('/a')
    expect(joinPath(parsePath('/a'), '.priority')).toBe('/a/.priority')
    expect(codeOf(() => joinPath(parsePath('/a'), 'b.c'))).toBe('ERR_INVALID_PATH')
    expect(codeOf(() => joinPath(parsePath('/a'.repeat(31)), 'b/c'))).toBe('ERR_PATH_TOO_LONG')
    expect(codeOf(() => joinPath(joinPath(rootPath, '.priority'), 'a'))).toBe('ERR_INVALID_PATH')
  })

  test('a priority path is the node’s path and a mark', () => {
    expect(splitPriorityPath(joinPath(rootPath, '.priority'))).toEqual({
      path: '/',
      priority: true,
    })
    expect(splitPriorityPath(joinPath(rootPath, 'a/.priority'))).toEqual({
      path: '/a',
      priority: true,
    })
    expect(splitPriorityPath(parsePath('/a'))).toEqual({ path: '/a', priority: false })
    expect(pathDepth(joinPath(rootPath, 'a/.priority'))).toBe(1)
    expect(pathDepth(joinPath(rootPath, '.priority'))).toBe(0)
  })

  test('ancestors are those whose keys come first', () => {
    fc.assert(
      fc.property(path, keys, (above, more) => {
        const below = more.reduce(childPath, above)
        expect(isAncestor(above, below)).toBe(more.length > 0)
        expect(isAncestor(below, above)).toBe(false)
        expect(pathsConflict(below, above)).toBe(true)
        expect(relativePath(above, below)).toBe(parsePath(more.join('/')))
      }),
    )
    expect(isAncestor(parsePath('/a'), parsePath('/ab'))).toBe(false)
    expect(pathsConflict(parsePath('/a/b'), parsePath('/a/c'))).toBe(false)
    expect(relativePath(parsePath('/a'), parsePath('/ab'))).toBe(undefined)
  })
})
