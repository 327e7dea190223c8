import { RuleTester } from 'oxlint/plugins-dev'
import { describe, it } from 'vitest'
import { transactionReturnsNothing } from './transaction-returns-nothing.ts'

RuleTester.describe = describe
RuleTester.it = it

new RuleTester().run('transaction-returns-nothing', transactionReturnsNothing, {
  valid: [
    'db.transactionSync(() => { db.put(1, 2) })',
    'db.transactionSync(function () { if (done) return; db.put(1, 2) })',
    'db.transactionSync(() => { rows.map((row) => { return row.key }) })',
    'function f() { db.transactionSync(() => { db.put(1, 2) }); return 1 }',
  ],
  invalid: [
    { code: 'db.transactionSync(() => db.put(1, 2))', errors: [{ messageId: 'inPlace' }] },
    { code: 'db.transactionSync(async () => { await x })', errors: [{ messageId: 'inPlace' }] },
    { code: 'db.transactionSync(write)', errors: [{ messageId: 'inPlace' }] },
    { code: 'db.transactionSync()', errors: [{ messageId: 'inPlace' }] },
    {
      code: 'db.transactionSync(() => { if (x) { return db.put(1, 2) } })',
      errors: [{ messageId: 'noValue' }],
    },
  ],
})
