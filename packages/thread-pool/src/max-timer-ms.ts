/** The longest time that a timer of Node takes, in milliseconds. It makes one of a longer one. */
export const maxTimerMs = 0x7fff_ffff
