/** Most bytes of one key, in UTF-8. */
export const maxKeyBytes = 768

/** Most keys on the way from the root to a leaf. A `.priority` does not count. */
export const maxDepth = 32

/** Most bytes of one string, in UTF-8: 10 MiB. */
export const maxStringBytes: number = 10 * 1024 * 1024

/** Strings that are not longer, in UTF-16 units, need no counting of their bytes. */
export const countedStringLength: number = Math.floor(maxStringBytes / 3)
