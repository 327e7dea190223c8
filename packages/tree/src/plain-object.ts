/**
 * Whether a value is what an object literal makes, in this realm or another, or an object without
 * a prototype.
 */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  if (Object.getPrototypeOf(prototype) !== null) return false
  return Object.hasOwn(prototype as object, 'isPrototypeOf')
}
