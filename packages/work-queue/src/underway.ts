import { ChainItem } from './item.ts'
import type { Batch, SlotItem } from './item.ts'

type Taken = SlotItem | ChainItem | Batch | Rest

/** What a call has drained: noted as one, because there may be very many. */
export class Rest {
  readonly items: (SlotItem | ChainItem)[] = []
  readonly inBlocks = true
  isHanded = false

  copyOut(): void {
    for (const item of this.items) if (item instanceof ChainItem) item.copyOut()
  }
}

/**
 * Items in blocks that calls with a promise have taken out and that whoever awaits them may not have yet. Nobody else has
 * them, and between the take and the moment in which they are seen there are microtasks, often a turn of the event
 * loop: time enough for a `detach()`, which gives the blocks back.
 */
export class Underway {
  #taken: (ChainItem | Batch | Rest)[] = []
  #isForgetting = false

  /** Notes what a call has taken out. */
  add(taken: Taken | undefined): void {
    if (taken?.inBlocks === true) this.#taken.push(taken)
  }

  /** Notes that the promise of the call is fulfilled. Who awaits it has seen that before the event loop goes on. */
  hand(taken: Taken | undefined): void {
    if (taken?.inBlocks !== true) return
    taken.isHanded = true
    if (this.#isForgetting) return
    this.#isForgetting = true
    setImmediate(() => this.#forget())
  }

  /** Copies everything out of the blocks, which are about to be given back. */
  copyOut(): void {
    for (const taken of this.#taken) taken.copyOut()
    this.#taken = []
  }

  #forget(): void {
    this.#isForgetting = false
    this.#taken = this.#taken.filter(({ isHanded }) => !isHanded)
  }
}
