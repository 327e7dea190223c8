import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, watch } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

// Where Debian has it, no search path of a user leads to it.
const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`

/** Whether nginx is installed. */
export function hasNginx(): boolean {
  return spawnSync('nginx', ['-v'], { env: { PATH: path } }).status === 0
}

/** An nginx in front of a server, with nothing said about streams. Listens on a socket in the file system. */
export class Nginx implements AsyncDisposable {
  readonly socketPath: string
  readonly #folder: string
  readonly #child: ReturnType<typeof spawn>

  static async start(port: number): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), 'elkyn-nginx-'))
    await writeFile(join(folder, 'nginx.conf'), configuration(folder, port))
    const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr']
    const child = spawn('nginx', args, {
      env: { PATH: path },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const nginx = new Nginx(folder, child)
    await appeared(nginx.socketPath, child)
    return nginx
  }

  constructor(folder: string, child: ReturnType<typeof spawn>) {
    this.#folder = folder
    this.#child = child
    this.socketPath = join(folder, 'socket')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
    await rm(this.#folder, { recursive: true })
  }
}

function configuration(folder: string, port: number): string {
  return `
    daemon off;
    master_process off;
    pid ${folder}/pid;
    events {}
    http {
      access_log off;
      client_body_temp_path ${folder}/body;
      proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi;
      scgi_temp_path ${folder}/scgi;
      server {
        listen unix:${folder}/socket;
        location / { proxy_pass http://127.0.0.1:${port}; }
      }
    }`
}

async function appeared(file: string, child: ReturnType<typeof spawn>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const look = (): void => {
    if (existsSync(file)) resolve()
  }
  const watcher = watch(join(file, '..'), look)
  child.once('exit', () => reject(new Error('nginx did not start')))
  look()
  try {
    await promise
  } finally {
    watcher.close()
  }
}
