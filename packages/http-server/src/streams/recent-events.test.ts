import { parsePath } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecentEvents } from './recent-events.ts'
import type { StreamClient } from './stream-client.ts'
import { Frame, Gap, Subscriber, Topic } from './topic.ts'

const idOf = (sequence: number, pairs?: number): string =>
  pairs === undefined ? `e-${sequence}-m${sequence}` : `e-${sequence}.${pairs}-m${sequence}`

/** A topic with somebody who has everything up to a change. */
function topicAt(name: string, sequence: number): Topic {
  const path = parsePath(`/${name.slice(0, 10)}`)
  const topic = new Topic(0, name, { path, shownPath: path, form: 'plain' })
  topic.live.add(new Subscriber({} as StreamClient, topic, undefined))
  reach(topic, sequence)
  return topic
}

/** An event of a change, or of one of several pairs of it. */
function frame(sequence: number, text: string, pairs?: number): Frame {
  return new Frame({ name: 'put', json: Buffer.from(text), id: idOf(sequence, pairs) }, sequence)
}

function tell(recent: RecentEvents, topic: Topic, frames: readonly (Frame | Gap)[]): void {
  topic.unsent.push(...frames)
  recent.add(topic, topic.beginBatch()!)
  const last = frames.at(-1)!
  reach(topic, last.sequence)
}

/** All who watch a topic have everything up to a change. */
function reach(topic: Topic, sequence: number): void {
  for (const subscriber of topic.live) subscriber.reached({ sequence, id: idOf(sequence) })
}

/** All that is known behind an event, as text, and how many events it is said to have. */
function allAfter(recent: RecentEvents, topic: Topic, since: string) {
  let text = ''
  let count = 0
  let pieces = 0
  let id = since
  for (;;) {
    const result = recent.after(topic, id)
    if (result === undefined) return { text, count, pieces, id }
    expect(result.isCut).toBe(true)
    text += Buffer.from(result.framed!.bytes).toString()
    count += result.framed!.count
    id = result.id!
    pieces++
  }
}

const textOf = (frames: readonly Frame[]): string =>
  Buffer.concat(frames.map(({ bytes }) => bytes)).toString()

test('what was told is known behind each of its events, also behind those inside a change', () => {
  const recent = new RecentEvents(1e6)
  const topic = topicAt('a', 3)
  const frames = [
    frame(4, '"a"'),
    frame(5, '"b"', 1),
    frame(5, '"c"', 2),
    frame(5, '"d"'),
    frame(9, '"e"'),
  ]
  tell(recent, topic, frames.slice(0, 1))
  tell(recent, topic, frames.slice(1))
  for (const [index, since] of [idOf(3), ...frames.map(({ id }) => id!)].entries()) {
    const rest = frames.slice(index)
    const { text, count, id } = allAfter(recent, topic, since)
    expect([text, count, id]).toEqual([textOf(rest), rest.length, idOf(9)])
  }
})

test('what was told behind a change elsewhere is known, where that is known to be one of this history', () => {
  const recent = new RecentEvents(1e6)
  const topic = topicAt('a', 3)
  const frames = [
    frame(5, '"a"'),
    frame(8, '"b"', 1),
    frame(8, '"c"'),
    frame(12, '"d"'),
    frame(20, '"e"'),
  ]
  tell(recent, topic, frames.slice(0, 3))
  // In another extent.
  tell(recent, topicAt('b', 3), [frame(9, '"x"')])
  tell(recent, topic, frames.slice(3))
  const after = (sequence: number): string | undefined => {
    const place = `e-${sequence}-elsewhere`
    expect(recent.after(topic, place)).toBe(undefined)
    const first = recent.after(topic, place, sequence)
    if (first === undefined) return undefined
    const { text } = allAfter(recent, topic, first.id!)
    return Buffer.from(first.framed!.bytes).toString() + text
  }
  // What lies between 2 and the event that all had is not known.
  expect(after(2)).toBe(undefined)
  for (let sequence = 3; sequence < 20; sequence++) {
    expect(after(sequence)).toBe(textOf(frames.filter((one) => one.sequence > sequence)))
  }
  expect(after(20)).toBe(undefined)
})

test('nothing is known behind an event of another history, or none', () => {
  const recent = new RecentEvents(1e6)
  const topic = topicAt('a', 3)
  tell(recent, topic, [frame(4, '"a"'), frame(5, '"b"'), frame(8, '"c"')])
  const others = [
    idOf(2),
    'e-4-m5',
    'f-4-m4',
    idOf(6),
    idOf(4, 1),
    idOf(9),
    '',
    '-',
    'x',
    `${idOf(4)}\n`,
  ]
  expect(others.filter((since) => recent.after(topic, since) !== undefined)).toEqual([])
  expect(recent.after(topicAt('b', 3), idOf(3))).toBe(undefined)
})

test('nothing is kept over what is not in memory, or was not heard', () => {
  const endings: ((recent: RecentEvents, topic: Topic) => void)[] = [
    (recent, topic) => tell(recent, topic, [new Gap(5, undefined)]),
    (recent, topic) => tell(recent, topic, [frame(5, `"${'x'.repeat(300_000)}"`)]),
    (recent, topic) => recent.end(topic),
    (recent, topic) => {
      topic.untold = 5
      tell(recent, topic, [frame(5, '"b"')])
    },
  ]
  for (const end of endings) {
    const recent = new RecentEvents(1e6)
    const topic = topicAt('a', 3)
    tell(recent, topic, [frame(4, '"a"')])
    end(recent, topic)
    // Up to there it is as good as before: what follows is read.
    expect(allAfter(recent, topic, idOf(3)).id).toBe(idOf(4))
    reach(topic, 6)
    const behind = [frame(7, '"b"')]
    tell(recent, topic, behind)
    expect(recent.after(topic, idOf(3))).toBe(undefined)
    expect(recent.after(topic, idOf(4))).toBe(undefined)
    expect(allAfter(recent, topic, idOf(6)).text).toBe(textOf(behind))
  }
})

test('many events come in few pieces, few as they are', () => {
  const recent = new RecentEvents(1e7)
  const topics = [topicAt('a', 0), topicAt('b', 0)]
  const told: Frame[] = []
  for (let sequence = 1; sequence <= 20_000; sequence++) {
    const next = frame(sequence, `"${'x'.repeat(50)}"`)
    if (sequence % 2 === 0) told.push(next)
    tell(recent, topics[sequence % 2]!, [next])
  }
  const { text, count, pieces } = allAfter(recent, topics[0]!, idOf(0))
  expect(text === textOf(told)).toBe(true)
  expect(count).toBe(told.length)
  expect(pieces).toBeLessThan(10)
})

test('many events are sent as they lie there, also where others were told in between', () => {
  const recent = new RecentEvents(1e7)
  const topics = Array.from('abcd', (name) => topicAt(name, 0))
  for (let sequence = 1; sequence <= 800; sequence++) {
    const topic = topics[sequence % topics.length]!
    tell(recent, topic, [frame(sequence, `"${'x'.repeat(10_000)}"`)])
  }
  const sizes: number[] = []
  for (let since = idOf(0); ;) {
    const result = recent.after(topics[0]!, since)
    if (result === undefined) break
    const { bytes } = result.framed!
    // A copy is no part of the memory of others.
    if (bytes.buffer.byteLength > bytes.length + 100_000) sizes.push(bytes.length)
    since = result.id!
  }
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(1_500_000)
})

test('of what many places tell in turn, much of what would fit is kept', () => {
  const maxBytes = 1e6
  for (const places of [3, 30, 300]) {
    const recent = new RecentEvents(maxBytes)
    const topics = Array.from({ length: places }, (_, number) => topicAt(`${number}`, 0))
    for (let sequence = 1; sequence <= 20_000; sequence++) {
      const topic = topics[sequence % places]!
      tell(recent, topic, [frame(sequence, `"${'x'.repeat(200)}"`)])
    }
    let kept = 0
    for (const [index, topic] of topics.entries()) {
      for (let sequence = index; sequence <= 20_000; sequence += places) {
        const { text, count } = allAfter(recent, topic, idOf(sequence))
        kept += text.length
        if (count > 0) break
      }
    }
    // What it takes to know of them counts as well.
    expect(kept).toBeGreaterThan(maxBytes * 0.3)
    expect(kept).toBeLessThan(maxBytes)
  }
})

test('what it takes to know of many places counts as well', () => {
  const recent = new RecentEvents(1e6)
  const topics = Array.from({ length: 100 }, (_, number) => topicAt(`${number}`.repeat(10_000), 3))
  for (const topic of topics) tell(recent, topic, [frame(4, '1')])
  const known = topics.filter((topic) => recent.after(topic, idOf(3)) !== undefined)
  expect(known.length).toBeGreaterThan(10)
  expect(known.length).toBeLessThan(50)
  expect(known.at(-1)).toBe(topics.at(-1))
})

test('with no room nothing is kept', () => {
  const recent = new RecentEvents(0)
  const topic = topicAt('a', 3)
  tell(recent, topic, [frame(4, '"a"')])
  expect(recent.after(topic, idOf(3))).toBe(undefined)
})

test('what is known are the newest events without a gap, whatever happens between', () => {
  const step = fc.record({
    topic: fc.nat(2),
    kind: fc.oneof(
      { weight: 9, arbitrary: fc.constant('tell') },
      fc.constantFrom('end', 'untold', 'gap'),
    ),
    lengths: fc.array(fc.nat(80), { minLength: 1, maxLength: 5 }),
  })
  let found = 0
  fc.assert(
    fc.property(
      fc.nat(20_000),
      fc.array(step, { minLength: 20, maxLength: 60 }),
      (maxBytes, steps) => {
        const recent = new RecentEvents(maxBytes)
        const topics = ['a', 'b', 'c'].map((name) => topicAt(name, 0))
        // What each topic told, and since when without a gap.
        const models = topics.map(() => ({ told: [] as Frame[], ends: [0] }))
        let sequence = 0
        for (const { topic: number, kind, lengths } of steps) {
          const topic = topics[number]!
          const model = models[number]!
          if (kind === 'tell') {
            const frames = lengths.map((length) => frame(++sequence, `"${'x'.repeat(length)}"`))
            tell(recent, topic, frames)
            model.told.push(...frames)
          } else {
            sequence++
            if (kind === 'untold') topic.untold = sequence
            if (kind === 'end') {
              recent.end(topic)
              reach(topic, sequence)
            } else {
              const isGap = kind === 'gap'
              tell(recent, topic, [isGap ? new Gap(sequence, undefined) : frame(sequence, '"x"')])
            }
            model.ends.push(model.told.length)
          }
        }
        for (const [number, { told, ends }] of models.entries()) {
          for (const [index, { id: since }] of told.entries()) {
            const { text, count, id } = allAfter(recent, topics[number]!, since!)
            if (count === 0) continue
            found++
            const rest = told.slice(index + 1, index + 1 + count)
            expect(text).toBe(textOf(rest))
            expect(id).toBe(rest.at(-1)!.id)
            // A gap is behind all of them, if there is one.
            const end = ends.find((at) => at > index + 1) ?? told.length
            expect(index + 1 + count).toBeLessThanOrEqual(end)
            expect(ends).not.toContain(index + 1)
          }
        }
      },
    ),
  )
  expect(found).toBeGreaterThan(100)
})
