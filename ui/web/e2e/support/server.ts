/** A server of ours: the binary of this build, on free ports, with a data directory that goes with it. */

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from './until';

/** What is set here is for the tests: a server would take it for its configuration. */
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('FLOWREEL')),
);
const ROOT = resolve(import.meta.dirname, '../../../..');

/** What `cargo test` has built, or what `FLOWREEL` names. */
function binary(): string {
  const target = resolve(ROOT, process.env['CARGO_TARGET_DIR'] ?? 'target');
  const path = process.env['FLOWREEL'] ?? join(target, 'debug/flowreel');
  if (!existsSync(path)) throw new Error(`${path} is not there: run cargo build, or set FLOWREEL`);
  return path;
}

interface Running {
  http: string;
  listen: string[];
}

export class Server {
  private constructor(
    private readonly child: ChildProcess | undefined,
    private readonly folder: string,
    /** `http://127.0.0.1:49152` */
    readonly url: string,
    /** The UDP port that datagrams are sent to. */
    readonly udp: number,
    /** Where people sign on: the token of whoever works on the machine. */
    private readonly token?: string,
    /** The link that makes the first account. */
    readonly link = '',
  ) {}

  /** Starts one, and waits until it receives; with a store that answers, unless its configuration has none. */
  static async start(
    kind: 'serve' | 'demo',
    config = '',
    more: string[] = [],
    signOn: 'off' | 'required' = 'off',
  ): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), 'flowreel-e2e-'));
    await writeFile(join(folder, 'flowreel.toml'), config);
    const http = more.includes('--http') ? [] : ['--http', '127.0.0.1:0'];
    const ports = [...http, '--listen', '127.0.0.1:0'];
    const files = ['--config', join(folder, 'flowreel.toml'), '--data-dir', join(folder, 'data')];
    const child = spawn(binary(), [kind, ...files, ...ports, ...more], {
      env: { ...ENVIRONMENT, FLOWREEL_SIGN_ON: signOn },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    const hear = (text: Buffer) => (said = (said + text.toString()).slice(-8000));
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const running = await until('the server is started', async () => {
      if (child.exitCode !== null) throw new Error(`the server ended at start:\n${said}`);
      const text = await readFile(join(folder, 'data/running.json'), 'utf8').catch(() => '');
      return text.trim().endsWith('}') ? (JSON.parse(text) as Running) : undefined;
    });
    const udp = Number(running.listen[0]?.split(':').at(-1));
    const isOff = signOn === 'off';
    const token = isOff ? undefined : await readFile(join(folder, 'data/operator.token'), 'utf8');
    const link = isOff
      ? ''
      : await until('it says how the first account is made', () => /http:\S+#\S+/.exec(said)?.[0]);
    const server = new Server(child, folder, `http://${running.http}`, udp, token?.trim(), link);
    if (!config.includes('[store]')) {
      await until('the server is ready', async () => (await fetch(`${server.url}/readyz`)).ok);
    }
    return server;
  }

  /** One that somebody else has started, and will stop. */
  static at({ url, udp }: { url: string; udp: number }): Server {
    return new Server(undefined, '', url, udp);
  }

  async get<T>(path: string): Promise<T> {
    return (await this.#ask(path)) as T;
  }

  async send<T>(method: 'POST' | 'PUT', path: string, body: unknown): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    return (await this.#ask(path, { method, headers, body: JSON.stringify(body) })) as T;
  }

  async #ask(path: string, init: RequestInit = {}): Promise<unknown> {
    const shown = this.token && { authorization: `Bearer ${this.token}` };
    const headers = { ...(init.headers as Record<string, string> | undefined), ...shown };
    const response = await fetch(this.url + path, { ...init, headers });
    if (!response.ok) {
      throw new Error(`${path}: ${String(response.status)} ${await response.text()}`);
    }
    return response.status === 204 ? undefined : response.json();
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      const last = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(last);
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}
