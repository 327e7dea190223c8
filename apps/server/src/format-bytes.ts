const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** A size for people: three digits at most before the point, one behind it from KiB on. */
export function formatBytes(bytes: number): string {
  let size = bytes
  let unit = 0
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`
}
