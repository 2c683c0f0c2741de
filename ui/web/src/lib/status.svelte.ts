/** How the server is, as far as can be told from here. */

import type { Readiness } from './api/schema';
import { fetchJson } from './fetching';

/** How often the server is asked how it is. */
const EVERY_MS = 5000;
const ANSWER_MS_MAX = 10_000;

class Status {
  /** Whether the last request was answered. */
  reached = $state(true);
  /** What the server says of its parts. */
  readiness = $state.raw<Readiness | undefined>();
  /** What somebody did here came to this: said once, politely. */
  notice = $state.raw<{ text: string; link?: { href: string; text: string } } | undefined>();

  /** Parts that cannot do their work now. */
  get down(): Readiness['parts'] {
    return this.readiness?.parts.filter((part) => !part.ready) ?? [];
  }

  readonly heard = (reached: boolean): void => {
    this.reached = reached;
  };

  /** Asks now and then, until the returned function is called. */
  watch(): () => void {
    let isAsking = false;
    const ask = async () => {
      if (document.hidden || isAsking) return;
      isAsking = true;
      try {
        // 503 is an answer too, with the same body. One that hangs is none: a browser has few connections.
        const response = await fetch('/readyz', {
          headers: { accept: 'application/json' },
          signal: AbortSignal.timeout(ANSWER_MS_MAX),
        });
        const body: unknown = await response.json();
        if (typeof body === 'object' && body !== null && 'parts' in body) this.readiness = body as Readiness;
        this.heard(true);
      } catch {
        this.heard(false);
      }
      isAsking = false;
    };
    void ask();
    const timer = setInterval(() => void ask(), EVERY_MS);
    return () => {
      clearInterval(timer);
    };
  }
}

export const status = new Status();

/** Asks the API; keeps book of whether the server answers. All data comes through here. */
export function api(route: string, init: RequestInit = {}): Promise<unknown> {
  return fetchJson(route, init, status.heard);
}

/** Sends JSON. */
export function send(method: 'POST' | 'PUT' | 'DELETE', route: string, body?: unknown): Promise<unknown> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  return api(route, init);
}
