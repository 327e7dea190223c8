import { describeHttpServer } from './conformance/describe-http-server.ts'
import { startTlsServer } from './conformance/start-tls-server.ts'

describeHttpServer('SimpleHttpServer with TLS, HTTP/1.1', (options) =>
  startTlsServer(false, options),
)
