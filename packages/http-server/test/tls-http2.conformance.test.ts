import { describeHttpServer } from './conformance/describe-http-server.ts'
import { startTlsServer } from './conformance/start-tls-server.ts'

describeHttpServer('SimpleHttpServer with TLS, HTTP/2', (options) => startTlsServer(true, options))
