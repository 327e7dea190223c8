import { execFileSync } from 'node:child_process'

/**
 * Packs the package in `directory` as it would be published and puts the tarball in `destination`.
 * @returns the path of the tarball
 */
export function pack(directory: string, destination: string): string {
  const args = ['pack', '--json', '--pack-destination', destination]
  const packed = execFileSync('pnpm', args, { cwd: directory, encoding: 'utf8' })
  return (JSON.parse(packed) as { filename: string }).filename
}
