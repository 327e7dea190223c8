import { expect, test } from 'vitest'
import { Front } from './front.ts'
import { resolveLimits } from './limits.ts'
import { silentLog } from './log.ts'
import { errorResponse } from './response.ts'

test('a server is starting, well, stopping or failed, and failed in any case', async () => {
  const front = new Front(
    { port: 0 },
    resolveLimits({}),
    () => errorResponse(404, ''),
    {},
    silentLog,
  )
  expect(front.health).toBe('starting')
  const started = front.start()
  expect(front.health).toBe('starting')
  await started
  expect(front.health).toBe('ok')
  await front.close(0)
  expect(front.health).toBe('stopping')
  front.fail()
  expect(front.health).toBe('failed')
})
