import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { freePort } from '../free-port.ts'

const nginxModule = '/usr/lib/nginx/modules/ngx_nchan_module.so'

/** Whether Debian's nginx and its nchan are installed. */
export function hasNchan(): boolean {
  return existsSync(nginxModule)
}

export interface Nchan extends AsyncDisposable {
  readonly port: number
  readonly pid: number
}

/** nchan in an nginx of one process: `POST /pub/<topic>`, `GET /sub/<topic>`. */
export async function startNchan(folder: string): Promise<Nchan> {
  const port = await freePort()
  await writeFile(join(folder, 'nginx.conf'), configuration(folder, port))
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr']
  const child = spawn('nginx', args, {
    env: { PATH: `${process.env['PATH']}:/usr/sbin` },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(child, 'exit')
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`nginx ended with code ${child.exitCode}`)
    await setTimeout(20)
  }
  return {
    port,
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      // Asked politely, its clean-up crashes now and then.
      child.kill('SIGKILL')
      await exited
    },
  }
}

function configuration(folder: string, port: number): string {
  return `
    load_module ${nginxModule};
    daemon off;
    master_process off;
    pid ${folder}/pid;
    error_log stderr crit;
    worker_rlimit_nofile 20000;
    events { worker_connections 15000; }
    http {
      access_log off;
      tcp_nodelay on;
      keepalive_requests 1000000000;
      client_body_temp_path ${folder}/body;
      proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi;
      scgi_temp_path ${folder}/scgi;
      nchan_shared_memory_size 512M;
      server {
        listen 127.0.0.1:${port};
        location ~ ^/pub/(.+)$ {
          nchan_publisher;
          nchan_channel_id $1;
          nchan_message_buffer_length 100;
        }
        location ~ ^/sub/(.+)$ {
          nchan_subscriber eventsource;
          nchan_channel_id $1;
          nchan_subscriber_first_message newest;
          nchan_eventsource_ping_interval 0;
        }
      }
    }`
}

async function answers(port: number): Promise<boolean> {
  try {
    await fetch(`http://127.0.0.1:${port}/`)
    return true
  } catch {
    return false
  }
}
