/** Units of a text that are looked up at once: texts of more than 16,383 V8 finds in a map by their lengths alone. */
const pieceLength = 4096

interface Slot<V> {
  value: V
}

interface Place<V> {
  slot: Slot<V> | undefined
  below: Map<string, Place<V>> | undefined
}

/** Values by texts of any length, in the order in which their texts came first. */
export class TextMap<V> {
  readonly #root: Place<V> = { slot: undefined, below: undefined }
  readonly #slots: Slot<V>[] = []

  get(text: string): V | undefined {
    let place: Place<V> | undefined = this.#root
    for (let start = 0; place !== undefined && start < text.length; start += pieceLength) {
      place = place.below?.get(text.slice(start, start + pieceLength))
    }
    return place?.slot?.value
  }

  set(text: string, value: V): void {
    let place = this.#root
    for (let start = 0; start < text.length; start += pieceLength) {
      place = next(place, text.slice(start, start + pieceLength))
    }
    if (place.slot === undefined) {
      place.slot = { value }
      this.#slots.push(place.slot)
    } else {
      place.slot.value = value
    }
  }

  values(): V[] {
    return this.#slots.map(({ value }) => value)
  }
}

function next<V>(place: Place<V>, piece: string): Place<V> {
  place.below ??= new Map()
  let found = place.below.get(piece)
  if (found === undefined) {
    found = { slot: undefined, below: undefined }
    place.below.set(piece, found)
  }
  return found
}
