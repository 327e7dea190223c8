import { definePlugin } from '@oxlint/plugins'
import { transactionReturnsNothing } from './transaction-returns-nothing.ts'

// The linter loads a plugin by its default export.
export default definePlugin({
  meta: { name: 'elkyn' },
  rules: { 'transaction-returns-nothing': transactionReturnsNothing },
})
