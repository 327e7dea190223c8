import { maxParsedBytes } from './plan.ts'
import { Race } from './race.ts'
import { Refusal } from './refusal.ts'
import type { UploadPlace, UploadPlaces } from './upload-places.ts'

/** The place of a body that is being taken, from when it is known to be a large one until that is disposed of. */
export class BodyPlace implements Disposable {
  readonly #places: UploadPlaces | undefined
  #place: UploadPlace | undefined
  #race: Race | undefined

  /** @param places `undefined` where somebody else gives them. */
  constructor(places: UploadPlaces | undefined) {
    this.#places = places
  }

  /** The body has so many bytes, or will have. @throws {Refusal} 503 when it needs a place, and there is none */
  reach(bytes: number): void {
    if (bytes <= maxParsedBytes || this.#places === undefined || this.#place !== undefined) return
    this.#place = this.#places.take()
    if (this.#place === undefined) {
      const text = 'The server is busy: Too many large bodies arrive at once'
      throw new Refusal(503, text, ['Retry-After', '1'])
    }
    this.#race = new Race(this.#place.givenUp)
  }

  /** The next piece of the body, once it is there. @throws {Refusal} 503 when the body has to give way to another one */
  async wait(
    piece: Promise<IteratorResult<Uint8Array>>,
  ): Promise<IteratorResult<Uint8Array, unknown>> {
    const place = this.#place
    if (place === undefined) return piece
    place.wait()
    const next = await this.#race?.run(piece)
    if (next === undefined) return place.givenUp
    place.received(next.done === true ? 0 : next.value.length)
    return next
  }

  [Symbol.dispose](): void {
    if (this.#place !== undefined) this.#places?.leave(this.#place)
  }
}
