/** As a worker of Piscina is written. */
// oxlint-disable-next-line import/no-default-export -- that is how they are written
export default function add({ a, b }: { a: number; b: number }): number {
  return a + b
}

export async function double(value: number): Promise<number> {
  return 2 * value
}
