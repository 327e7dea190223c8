/** Longest delay that a timer takes, in milliseconds. */
const FOREVER_MS = 2 ** 31 - 1

/** Waits for others, which is a reason for the thread to live. */
export async function keepAlive(others: Promise<void>): Promise<void> {
  const alive = setInterval(() => {}, FOREVER_MS)
  try {
    await others
  } finally {
    clearInterval(alive)
  }
}
