// 64 characters in ASCII order, so that ids sort as the numbers they stand for.
const digits = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'
const largestDigit = 63
const timeDigits = 8
const randomDigits = 12

export interface PushIdOptions {
  /** The clock, in milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number
  /** Fills an array with random bytes. Default: `crypto.getRandomValues`. */
  readonly fillRandom?: (bytes: Uint8Array<ArrayBuffer>) => void
}

/**
 * Makes a function that gives keys for the children of a list: 20 characters, 8 for the time and
 * 12 of chance. Each is greater than the one before, in key order as well as by string order, also
 * within a millisecond and when the clock goes back.
 *
 * The scheme is the one that Firebase published in "The 2^120 Ways to Ensure Unique Identifiers".
 */
export function createPushIdGenerator(options: PushIdOptions = {}): () => string {
  const now = options.now ?? Date.now
  const fillRandom = options.fillRandom ?? ((bytes) => crypto.getRandomValues(bytes))
  const random = new Uint8Array(randomDigits)
  let time = -1

  return () => {
    const current = now()
    if (current > time) {
      time = current
      startMillisecond()
    } else if (!increment(random)) {
      // All 2^72 of this millisecond are used up from here on: borrow from the next one.
      time++
      startMillisecond()
    }
    return timeText(time) + digitText(random)
  }

  function startMillisecond(): void {
    fillRandom(random)
    for (const [index, byte] of random.entries()) random[index] = byte & largestDigit
  }
}

/** Gives a new key for a child of a list, greater than all that it gave before. */
export const pushId: () => string = createPushIdGenerator()

/** Adds one to a number in base 64; `false` when it was the largest. */
function increment(number: Uint8Array): boolean {
  for (let index = number.length - 1; index >= 0; index--) {
    const digit = number[index] as number
    if (digit < largestDigit) {
      number[index] = digit + 1
      return true
    }
    number[index] = 0
  }
  return false
}

function timeText(time: number): string {
  let text = ''
  let rest = time
  for (let count = 0; count < timeDigits; count++) {
    text = digits.charAt(rest % 64) + text
    rest = Math.floor(rest / 64)
  }
  return text
}

function digitText(number: Uint8Array): string {
  let text = ''
  for (const digit of number) text += digits.charAt(digit)
  return text
}
