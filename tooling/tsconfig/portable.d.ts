// The globals that Node >= 22 and every current browser share, as far as our portable packages use
// them. `lib: ["DOM"]` would let `document` through, and `types: ["node"]` would let `Buffer`
// through: a package that type-checks against this file needs neither.

interface TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number }
}
declare var TextEncoder: { new (): TextEncoder }

interface TextDecoder {
  decode(input?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string
}
declare var TextDecoder: {
  new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder
}

interface Crypto {
  getRandomValues<T extends ArrayBufferView>(array: T): T
}
declare var crypto: Crypto

interface AbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

declare function queueMicrotask(callback: () => void): void

declare function atob(data: string): string
declare function btoa(data: string): string
