/** Bytes of each item in the bench. */
export const ITEM_BYTES = 64
