import { defineRule } from '@oxlint/plugins'
import type { ESTree } from '@oxlint/plugins'

/**
 * The callback of lmdb's `transactionSync` must be written in place, as a plain function with a
 * block body that returns no value.
 *
 * lmdb commits when the callback returns, unless it returns a promise: then the transaction stays
 * open until that promise settles, and the caller reports a write as durable that is not. lmdb's own
 * `put` returns such a promise, so `transactionSync(() => db.put(key, value))` is enough to do it.
 */
export const transactionReturnsNothing = defineRule({
  meta: {
    type: 'problem',
    messages: {
      inPlace:
        'Write the callback of transactionSync in place, as a plain function with a block body',
      noValue:
        'Return no value from the callback of transactionSync: a promise would commit too late',
    },
  },
  create(context) {
    // For each function around the current node: whether it is a callback of transactionSync.
    const functions: boolean[] = []
    const callbacks = new Set<ESTree.Node>()
    const enter = (node: ESTree.Node): void => {
      functions.push(callbacks.has(node))
    }
    const leave = (): void => {
      functions.pop()
    }
    return {
      CallExpression(node) {
        const { callee } = node
        if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return
        if (callee.property.name !== 'transactionSync') return
        const [callback] = node.arguments
        if (callback !== undefined && isPlainFunction(callback)) callbacks.add(callback)
        else context.report({ node: callback ?? node, messageId: 'inPlace' })
      },
      ReturnStatement(node) {
        if (functions.at(-1) === true && node.argument !== null) {
          context.report({ node, messageId: 'noValue' })
        }
      },
      FunctionDeclaration: enter,
      'FunctionDeclaration:exit': leave,
      FunctionExpression: enter,
      'FunctionExpression:exit': leave,
      ArrowFunctionExpression: enter,
      'ArrowFunctionExpression:exit': leave,
    }
  },
})

function isPlainFunction(node: ESTree.Node): boolean {
  if (node.type !== 'ArrowFunctionExpression' && node.type !== 'FunctionExpression') return false
  return !node.async && !node.generator && node.body?.type === 'BlockStatement'
}
