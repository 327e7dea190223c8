export interface CodeBlock {
  /** What stands behind the fence, `js` for example; empty when nothing does. */
  language: string
  code: string
}

/** The fenced code blocks of a Markdown text, in order. Fences are three backticks at a line's start. */
export function codeBlocks(markdown: string): CodeBlock[] {
  return Array.from(
    markdown.matchAll(/^```(\w*)[^\n]*\n(.*?)^```$/gms),
    ([, language = '', code = '']) => ({ language, code }),
  )
}
