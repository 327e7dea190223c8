import { X509Certificate, createPrivateKey } from 'node:crypto'
import { tls } from './node-modules.ts'

/** What a server needs for TLS, both as PEM. */
export interface TlsOptions {
  /** The private key, not encrypted. */
  readonly key: string | Uint8Array
  /** The certificate, followed by those between it and the one that clients know. */
  readonly cert: string | Uint8Array
}

/** What both are for Node. */
export interface TlsSecrets {
  readonly key: Buffer
  readonly cert: Buffer
  readonly minVersion: 'TLSv1.2'
}

/**
 * Makes sure that a key and a certificate are ones that belong together.
 * @throws {TypeError} with the reason as its cause.
 */
export function checkTls(given: TlsOptions): TlsSecrets {
  const [key, cert] = [Buffer.from(given.key), Buffer.from(given.cert)]
  const privateKey = check('The key is not a private key in PEM', () => createPrivateKey(key))
  const certificate = check('The certificate is not one in PEM', () => new X509Certificate(cert))
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new TypeError('Cannot use TLS: The key is not that of the certificate')
  }
  const secrets = { key, cert, minVersion: 'TLSv1.2' } as const
  check('OpenSSL refuses them', () => tls().createSecureContext(secrets))
  return secrets
}

function check<Value>(reason: string, make: () => Value): Value {
  try {
    return make()
  } catch (error) {
    throw new TypeError(`Cannot use TLS: ${reason}`, { cause: error })
  }
}
