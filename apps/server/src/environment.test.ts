import { expect, test } from 'vitest'
import { CommandError, exitCodes } from './command-error.ts'
import { refuseAuthVariables, unsetEmptyVariables } from './environment.ts'

test('refuseAuthVariables() refuses a secret that nothing would check', () => {
  expect(() => refuseAuthVariables({ ELKYN_AUTH_SECRET: 's3cret' })).toThrow(
    expect.objectContaining({ name: CommandError.name, exitCode: exitCodes.usage }),
  )
})

test('refuseAuthVariables() refuses to require authentication', () => {
  expect(() => refuseAuthVariables({ ELKYN_REQUIRE_AUTH: 'true' })).toThrow(/ELKYN_REQUIRE_AUTH/)
})

test('refuseAuthVariables() allows variables that ask for no protection', () => {
  const environment = { ELKYN_AUTH_SECRET: '', ELKYN_REQUIRE_AUTH: 'false' }
  expect(() => refuseAuthVariables(environment)).not.toThrow()
})

test('unsetEmptyVariables() takes out only what is empty and of this program', () => {
  const environment = { ELKYN_HOST: '', ELKYN_PORT: '0', OTHER: '' }
  unsetEmptyVariables(environment)
  expect(environment).toEqual({ ELKYN_PORT: '0', OTHER: '' })
})
