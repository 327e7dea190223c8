import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { hasTakenAll } from './taken-bytes.ts'

/** An answer, of which something has been waiting for long. */
interface Waiting {
  readonly pendingBytes: number
  readonly leftBytes: number
}

interface Question {
  readonly leftBytes: number
  readonly onClosed: () => void
  /** What was written of the connection with a turn in which all was sent that could be. */
  turn: number | undefined
}

/**
 * Tells answers whose own windows are closed from those that wait behind others, or for the window of the connection:
 * Node says how large that one is, and nothing of the others. But when it sends, it sends in one turn all that the
 * windows allow, and begins no other turn before the system has taken that. So what does not leave with a turn behind
 * which the window of the connection is still open waits for its own.
 */
export class OwnWindows {
  readonly #session: ServerHttp2Session
  readonly #socket: Socket
  readonly #questions = new Map<Waiting, Question>()
  #isLooking = false

  constructor(session: ServerHttp2Session, socket: Socket) {
    this.#session = session
    this.#socket = socket
  }

  /** Calls `onClosed` when nothing more of an answer leaves, and this because its own window is closed. */
  ask(answer: Waiting, onClosed: () => void): void {
    this.#questions.set(answer, { leftBytes: answer.leftBytes, onClosed, turn: undefined })
    this.look()
  }

  forget(answer: Waiting): void {
    this.#questions.delete(answer)
  }

  /** To be called when something of any answer has left, which is when Node begins the next turn. */
  readonly look = (): void => {
    if (this.#isLooking || this.#questions.size === 0) return
    this.#isLooking = true
    const { bytesWritten } = this.#socket
    // Behind the turn, and before anything comes that opens a window.
    setImmediate(() => {
      this.#isLooking = false
      this.#judge(this.#socket.bytesWritten !== bytesWritten)
    })
  }

  /** @param isTurn Whether the last turn has only just begun. */
  #judge(isTurn: boolean): void {
    const { bytesWritten } = this.#socket
    const isIdle = hasTakenAll(this.#socket)
    const isOpen = (this.#session.state.remoteWindowSize ?? 0) > 0
    for (const [answer, question] of this.#questions) {
      const { turn } = question
      const hasTurnLeft = turn !== undefined && (isIdle || turn !== bytesWritten)
      if (answer.pendingBytes === 0 || answer.leftBytes !== question.leftBytes) {
        this.#questions.delete(answer)
      } else if (hasTurnLeft || (isIdle && isOpen)) {
        this.#questions.delete(answer)
        question.onClosed()
      } else if (isTurn && isOpen) {
        question.turn = bytesWritten
      }
    }
  }
}
