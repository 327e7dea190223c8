import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomFillSync,
  timingSafeEqual,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { StorageError } from './errors.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16
/** How much longer a sealed value is. */
export const SEAL_BYTES: number = NONCE_BYTES + TAG_BYTES

/** Nonces are drawn from the system in one call for so many values. */
const NONCES_A_CALL = 1024

/**
 * Seals values with AES-256-GCM: nonce (12 bytes, random), cipher text, tag (16 bytes). The key of
 * the entry is authenticated along, so that a value can't be moved to another place. NIST SP
 * 800-38D section 8.3 allows 2^32 values for one key with random nonces.
 */
export class Sealer {
  /** Node.js makes such an object of each key that is given as bytes, which takes longer than to seal a small value. */
  readonly #key: KeyObject
  readonly #nonces: Buffer = Buffer.alloc(NONCE_BYTES * NONCES_A_CALL)
  #nextNonce: number = NONCES_A_CALL

  /** @param key 32 bytes. */
  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key)
  }

  seal(place: Uint8Array, value: Uint8Array): Buffer {
    const nonce = this.#nonce()
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce)
    cipher.setAAD(place)
    const body = cipher.update(value)
    cipher.final()
    return Buffer.concat([nonce, body, cipher.getAuthTag()])
  }

  /** @throws {StorageError} ERR_STORE_CORRUPT when the value is not what was sealed for this place. */
  open(place: Uint8Array, sealed: Uint8Array): Buffer {
    try {
      const end = sealed.length - TAG_BYTES
      // A value that was cut off would otherwise be checked by as little of a tag as is left of it.
      const options = { authTagLength: TAG_BYTES }
      const nonce = sealed.subarray(0, NONCE_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, options)
      decipher.setAAD(place)
      decipher.setAuthTag(sealed.subarray(end))
      const value = decipher.update(sealed.subarray(NONCE_BYTES, end))
      decipher.final()
      return value
    } catch (cause) {
      throw new StorageError(
        'ERR_STORE_CORRUPT',
        'Cannot open a sealed value: it was changed outside this database',
        { cause },
      )
    }
  }

  #nonce(): Buffer {
    if (this.#nextNonce === NONCES_A_CALL) {
      randomFillSync(this.#nonces)
      this.#nextNonce = 0
    }
    const start = this.#nextNonce++ * NONCE_BYTES
    return this.#nonces.subarray(start, start + NONCE_BYTES)
  }
}

/** Digest kept beside the data, that tells a wrong key before anything is read with it. */
export function keyCheck(key: Uint8Array, epoch: string): string {
  return createHmac('sha256', key).update(`elkyn key check ${epoch}`).digest('base64')
}

export function isKeyCheck(key: Uint8Array, epoch: string, check: string): boolean {
  const expected = Buffer.from(keyCheck(key, epoch), 'base64')
  const actual = Buffer.from(check, 'base64')
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}
