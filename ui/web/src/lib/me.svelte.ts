/** Who looks: the one place that asks, and that hears when the server knows them no more. */

import type { Me, Permission } from './api/schema';
import { Failed, type Failure, fetchJson } from './fetching';
import { may, mayExport } from './people';

const AGAIN_MS = 2000;
/** Who was refused something is asked for anew: their role may be another one by now. Not more often than this. */
const LOOK_AGAIN_MS = 10_000;

class Looking {
  /** Who it is, and who it was when the session ended. */
  who = $state.raw<Me | undefined>();
  /** `left`: the session ended while pages are open. */
  state = $state<'asking' | 'nobody' | 'here' | 'left'>('asking');
  /** Why nobody knows yet. */
  error = $state.raw<Failure | undefined>();
  #waiting: (() => void)[] = [];
  #lookedAt = 0;

  /** Whether they may; with any of several. */
  may(...wanted: Permission[]): boolean {
    return this.who !== undefined && may(this.who, ...wanted);
  }

  get mayExport(): boolean {
    return this.who !== undefined && mayExport(this.who);
  }

  /** Asks until there is an answer. */
  async ask(): Promise<void> {
    this.#lookedAt = performance.now();
    try {
      this.#take((await fetchJson('/api/v1/me')) as Me);
    } catch (error) {
      this.error = error instanceof Failed ? error.failure : undefined;
      if (this.error?.kind === 'nobody') this.#leave();
      else if (this.state === 'asking') setTimeout(() => void this.ask(), AGAIN_MS);
    }
  }

  /** Signs on. Throws what the server says against it. */
  async signOn(name: string, password: string): Promise<void> {
    this.#take((await post('/api/v1/sign-on', { name, password })) as Me);
  }

  /** Makes the first admin, who is signed on then. */
  async welcome(token: string, name: string, password: string): Promise<void> {
    this.#take((await post('/api/v1/welcome', { token, name, password })) as Me);
  }

  async changePassword(old: string, next: string): Promise<void> {
    this.#take((await post('/api/v1/me/password', { old, new: next })) as Me);
  }

  /** Signs out, here or everywhere. What was shown goes with the page that showed it. */
  async signOut(everywhere = false): Promise<void> {
    try {
      if (everywhere) await fetchJson('/api/v1/me/sessions', { method: 'DELETE' });
      else await post('/api/v1/sign-off');
    } catch (error) {
      // Whom the server does not know is signed out.
      if (!(error instanceof Failed && error.failure.kind === 'nobody')) throw error;
    }
    location.assign('/sign-in?left=here');
  }

  /** Hears why something was refused. */
  heard({ kind }: Failure): void {
    if (kind === 'nobody') this.#leave();
    if (kind === 'forbidden' && performance.now() - this.#lookedAt > LOOK_AGAIN_MS) void this.ask();
  }

  /** Resolves when somebody is signed on: at once, or after they have done so again. */
  present(signal?: AbortSignal | null): Promise<void> {
    if (this.state !== 'left') return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      signal?.addEventListener('abort', () => {
        reject(new DOMException('Nobody wants it any more', 'AbortError'));
      });
    });
  }

  #take(me: Me): void {
    // What is on the page was for somebody else's eyes.
    if (this.who && this.who.name !== me.name) {
      location.reload();
      return;
    }
    this.who = me;
    this.state = 'here';
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #leave(): void {
    this.state = this.who ? 'left' : 'nobody';
  }
}

function post(route: string, body: unknown = {}): Promise<unknown> {
  const headers = { 'content-type': 'application/json' };
  return fetchJson(route, { method: 'POST', headers, body: JSON.stringify(body) });
}

export const me = new Looking();
