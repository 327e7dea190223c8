import { expect, test } from 'vitest'
import { codeBlocks } from './code-blocks.ts'

test('codeBlocks() returns each block with its language, in order', () => {
  const markdown =
    '# A\n\n```sh\nnpm i a\n```\n\ntext `b`\n\n```js title\nf(`x`)\n\ng()\n```\n```\nc\n```\n'
  expect(codeBlocks(markdown)).toEqual([
    { language: 'sh', code: 'npm i a\n' },
    { language: 'js', code: 'f(`x`)\n\ng()\n' },
    { language: '', code: 'c\n' },
  ])
})
