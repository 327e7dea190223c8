import { parentPort } from 'node:worker_threads'

// Stays, and says nothing.
parentPort?.on('message', () => {})
