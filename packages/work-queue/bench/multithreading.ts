// The channel of `multithreading`, which brings its own threads: their functions are sent as source, so
// they stand alone. Its items are JSON.
import { channel, initRuntime, move, shutdown, spawn } from 'multithreading'

/** Sends strings of 64 characters through one channel. @returns million items a second */
export async function channelThroughput(each: number, threads: number): Promise<number> {
  initRuntime({ maxWorkers: 2 * threads })
  const [sender, receiver] = channel<string>(256, { size: 2 ** 24 })
  const receiving = Array.from({ length: threads }, () =>
    spawn(move(receiver.clone()), (from) => {
      let count = 0
      let first = 0
      for (;;) {
        const result = from.blockingRecv()
        if (!result.ok) break
        if (count++ === 0) first = Date.now()
      }
      return { count, first, last: Date.now() }
    }),
  )
  const sending = Array.from({ length: threads }, () =>
    spawn(move(sender.clone(), each), (to, items) => {
      const rest = 'x'.repeat(56)
      for (let i = 0; i < items; i++) to.blockingSend(String(i).padStart(8, '0') + rest)
      return 0
    }),
  )
  await Promise.all(sending.map((handle) => handle.join()))
  sender.close()
  const results = await Promise.all(receiving.map((handle) => handle.join()))
  shutdown()
  const seen = results.map((result) => {
    if (!result.ok) throw result.error
    return result.value
  })
  const count = seen.reduce((sum, result) => sum + result.count, 0)
  if (count !== each * threads) throw new Error(`${count} of ${each * threads} items`)
  const first = Math.min(...seen.filter((one) => one.count > 0).map((one) => one.first))
  return count / (Math.max(...seen.map(({ last }) => last)) - first) / 1000
}
