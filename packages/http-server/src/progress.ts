/** Sees whether what waits for a client leaves, however little. */
export class Progress {
  #leftBytes = -1

  /**
   * Whether something waited when this was asked last, and nothing has left since. To be asked once in the time that a
   * client has.
   * @param leftBytes Of all that was written.
   */
  hasStalled(pendingBytes: number, leftBytes: number): boolean {
    const hasStalled = pendingBytes > 0 && leftBytes === this.#leftBytes
    this.#leftBytes = pendingBytes > 0 ? leftBytes : -1
    return hasStalled
  }
}
