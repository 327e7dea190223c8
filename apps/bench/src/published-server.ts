import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
  readonly publishConfig?: object
}

const workspace = fileURLToPath(new URL('../../../', import.meta.url))
const directories = [
  'packages/tree',
  'packages/storage-lmdb',
  'packages/work-queue',
  'packages/thread-pool',
  'packages/http-server',
  'apps/server',
]

/**
 * Lays out the server in a folder as npm would install it: plain JavaScript, where the workspace
 * runs the TypeScript sources.
 *
 * @returns the program behind the command `elkyn`.
 */
export function installPublishedServer(folder: string): string {
  for (const directory of directories) installPackage(join(workspace, directory), folder)
  const server = join(folder, 'node_modules/@elkyn/server')
  return join(server, readManifest(server).bin!['elkyn']!)
}

function installPackage(source: string, folder: string): void {
  const manifest = readManifest(source) as Manifest & { readonly name: string }
  if (!existsSync(join(source, 'dist'))) {
    throw new Error(`Cannot install ${manifest.name}: it is not built, run "pnpm build" first`)
  }
  const target = join(folder, 'node_modules', manifest.name)
  cpSync(join(source, 'dist'), join(target, 'dist'), { recursive: true })
  // What packing does to the manifest.
  const published = { ...manifest, ...manifest.publishConfig }
  writeFileSync(join(target, 'package.json'), JSON.stringify(published))
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    if (!name.startsWith('@elkyn/'))
      linkDependency(join(source, 'node_modules', name), name, folder)
  }
}

function linkDependency(source: string, name: string, folder: string): void {
  const link = join(folder, 'node_modules', name)
  if (existsSync(link)) return
  mkdirSync(dirname(link), { recursive: true })
  symlinkSync(realpathSync(source), link)
}

function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest
}
