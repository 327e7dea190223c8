import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export interface SelfSigned {
  /** The private key, as PEM. */
  readonly key: string
  /** The certificate, as PEM. */
  readonly cert: string
}

const dayMs = 24 * 60 * 60 * 1000

/**
 * A new key and a certificate for `localhost` and 127.0.0.1 that it has signed itself, for tests and
 * benchmarks. Node can read certificates and not make them, so this writes the DER of RFC 5280.
 */
export function selfSigned(): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(set(sequence(oid('2.5.4.3'), text('localhost'))))
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'))
  const validity = sequence(time(Date.now() - dayMs), time(Date.now() + 365 * dayMs))
  const content = sequence(
    tagged(0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(15)])),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(subjectAltName, basicConstraints)),
  )
  const signature = sign('sha256', content, privateKey)
  const certificate = sequence(content, algorithm, bitString(signature))
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: pem('CERTIFICATE', certificate),
  }
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const header =
    length < 128
      ? Buffer.of(tag, length)
      : length < 256
        ? Buffer.of(tag, 0x81, length)
        : Buffer.of(tag, 0x82, length >> 8, length & 0xff)
  return Buffer.concat([header, content])
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(0x30, ...parts)
}

function set(...parts: readonly Uint8Array[]): Buffer {
  return der(0x31, ...parts)
}

/** @param bytes Whose first bit is not set, which would make the number negative. */
function integer(bytes: Uint8Array): Buffer {
  return der(0x02, bytes)
}

function text(value: string): Buffer {
  return der(0x0c, Buffer.from(value))
}

function bitString(bytes: Uint8Array): Buffer {
  return der(0x03, Buffer.of(0), bytes)
}

function octetString(bytes: Uint8Array): Buffer {
  return der(0x04, bytes)
}

function tagged(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return der(0xa0 | number, ...parts)
}

/** Until 2049, as RFC 5280 has it. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/\D/g, '').slice(2, 14)
  return der(0x17, Buffer.from(`${digits}Z`))
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return der(0x06, Buffer.of(40 * first + second, ...rest.flatMap(base128)))
}

function base128(value: number): number[] {
  const digits = [value & 0x7f]
  for (let left = value >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80)
  return digits
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

const subjectAltName = sequence(
  oid('2.5.29.17'),
  octetString(
    sequence(
      der(0x82, Buffer.from('localhost')),
      der(0x87, Buffer.of(127, 0, 0, 1)),
      der(0x87, Buffer.concat([Buffer.alloc(15), Buffer.of(1)])),
    ),
  ),
)

// It signs itself, so that a client can be told to trust it.
const basicConstraints = sequence(
  oid('2.5.29.19'),
  der(0x01, Buffer.of(0xff)),
  octetString(sequence(der(0x01, Buffer.of(0xff)))),
)
