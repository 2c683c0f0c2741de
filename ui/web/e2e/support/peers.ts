/** Programs of others, each a process of its own: `e2e/peers`. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Peer {
  /** Where it listens, on 127.0.0.1. */
  port: number;
  stop: () => void;
}

/** Starts one, and waits until it listens. It ends with whoever started it. */
export async function startPeer(script: string, ...words: string[]): Promise<Peer> {
  const path = join(import.meta.dirname, '../peers', script);
  const child = spawn(process.execPath, [path, ...words], { stdio: ['pipe', 'pipe', 'ignore'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { port: Number(line.replace('port ', '')), stop: () => child.kill() };
}

/** A port that nobody has: for what has to be named before it is there. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
