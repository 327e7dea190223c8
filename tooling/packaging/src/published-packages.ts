import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const workspaceRoot: string = fileURLToPath(new URL('../../../', import.meta.url))

export interface PublishedPackage {
  name: string
  directory: string
}

/** Every package of the workspace that is not private, in no particular order. */
export function publishedPackages(): PublishedPackage[] {
  return ['packages', 'apps']
    .map((group) => join(workspaceRoot, group))
    .flatMap((group) => readdirSync(group).map((name) => join(group, name)))
    .filter((directory) => existsSync(join(directory, 'package.json')))
    .map((directory) => ({ directory, manifest: readManifest(directory) }))
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ directory, manifest }) => ({ directory, name: manifest.name }))
}

/** The part of a package.json that packaging looks at. */
export interface Manifest {
  name: string
  private?: boolean
  engines?: { node?: string }
  devDependencies?: Record<string, string>
}

export function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest
}
