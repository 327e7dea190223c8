import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { EventClient } from './streams/event-client.ts'
import { FaultWord } from './threads/faulty-store.ts'
import { Running } from './threads/running.ts'

const large = JSON.stringify(Array.from({ length: 40 }, () => 'x'.repeat(100_000)))

describe('large answers', () => {
  test('are read by one thread less than there are while small ones are wanted, however many there are', async () => {
    await using running = await Running.start({ threads: 3, metrics: true })
    await running.fullStrength(3)
    await running.ask('PUT', '/scanned.json?print=silent', large)
    running.closeGate()
    const atGate = Atomics.load(running.words, FaultWord.AtGate)
    const answers: Promise<{ readonly text: string }>[] = []
    for (const threads of [1, 2]) {
      answers.push(running.ask('GET', '/scanned.json'))
      await running.until(FaultWord.AtGate, atGate + threads)
    }
    // The third thread answers small ones, takes these, and must not begin.
    const over = new AbortController()
    const small = async (): Promise<void> => {
      while (!over.signal.aborted) await running.ask('GET', '/scanned/0.json?shallow=true')
    }
    const smalls = [small(), small()]
    await running.ask('GET', '/a.json')
    for (let count = 0; count < 4; count++) answers.push(running.ask('GET', '/scanned.json'))
    await running.untilTaken(answers.length)
    await running.ask('GET', '/a.json')
    expect(Atomics.load(running.words, FaultWord.Scanning)).toBe(2)
    over.abort()
    await Promise.all(smalls)
    running.openGate()
    for (const { text } of await Promise.all(answers)) expect(text).toBe(large)
  })

  test('are read by all threads while no small ones are wanted', async () => {
    await using running = await Running.start({ threads: 2 })
    await running.fullStrength(2)
    await running.ask('PUT', '/scanned.json?print=silent', large)
    running.closeGate()
    const atGate = Atomics.load(running.words, FaultWord.AtGate)
    const answers: Promise<{ readonly text: string }>[] = []
    for (const threads of [1, 2]) {
      answers.push(running.ask('GET', '/scanned.json'))
      // The small ones before are forgotten after a while.
      await running.until(FaultWord.AtGate, atGate + threads)
    }
    running.openGate()
    for (const { text } of await Promise.all(answers)) expect(text).toBe(large)
  })

  test('let small ones pass where there is one thread', async () => {
    await using running = await Running.start({ threads: 1 })
    await running.ask('PUT', '/endless.json?print=silent', large)
    const download = running.send('GET /endless.json')
    download.resume()
    await once(download, 'data')
    for (let count = 0; count < 20; count++) {
      expect(await running.ask('GET', '/endless/0.json?shallow=true')).toMatchObject({
        status: 200,
      })
    }
    running.openGate()
    await running.untilClosed()
    download.destroy()
  })

  test('go on when a thread has died that read one', async () => {
    await using running = await Running.start({ threads: 2 })
    await running.ask('PUT', '/scanned.json?print=silent', large)
    await running.ask('PUT', '/dying.json?print=silent', large)
    await running.fullStrength(2)
    // Nothing else breaks off an answer whose head has left.
    await running.ask('GET', '/dying.json').catch(() => {})
    expect(Atomics.load(running.words, FaultWord.Deaths)).toBeLessThan(0)
    expect((await running.ask('GET', '/scanned.json')).text).toBe(large)
  })
})

describe('large results of streams', () => {
  test('are read by one thread less than there are while small answers are wanted', async () => {
    await using running = await Running.start({ threads: 3 })
    await running.fullStrength(3)
    running.closeGate()
    const atGate = Atomics.load(running.words, FaultWord.AtGate)
    const streams: EventClient[] = []
    const open = async (): Promise<void> => {
      // Each watches something else.
      const query = `orderBy="$key"&limitToFirst=${streams.length + 1}&count=true`
      const { url } = running.server.address()
      streams.push(await EventClient.open(`${url}/counted.json?${query}`))
    }
    const over = new AbortController()
    const small = async (): Promise<void> => {
      while (!over.signal.aborted) await running.ask('GET', '/a.json')
    }
    const smalls = [small(), small()]
    for (const threads of [1, 2]) {
      await open()
      await running.until(FaultWord.AtGate, atGate + threads)
    }
    // The third thread answers small ones, takes these, and must not begin.
    for (let count = 0; count < 4; count++) await open()
    await running.ask('GET', '/a.json')
    expect(Atomics.load(running.words, FaultWord.Scanning)).toBe(2)
    over.abort()
    await Promise.all(smalls)
    running.openGate()
    for (const stream of streams) {
      expect(await stream.take(1)).toEqual(['put {"path":"/","data":0}'])
      stream.cut()
    }
  })
})
