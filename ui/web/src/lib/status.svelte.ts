/** How the server is, as far as can be told from here. */

import type { Readiness } from './api/schema';
import { Failed, fetchJson } from './fetching';
import { me } from './me.svelte';

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

/**
 * Asks the API; keeps book of whether the server answers, and knows who asks. All data comes through here. While nobody is signed
 * on, questions wait until somebody is, so that a page keeps what it shows; `limitMs` is from then on.
 */
export async function api(route: string, init: RequestInit = {}, limitMs?: number): Promise<unknown> {
  for (;;) {
    // What somebody did is theirs to do again.
    if (!init.method) await me.present(init.signal);
    try {
      return await fetchJson(route, limited(init, limitMs), status.heard);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      me.heard(error.failure);
      if (error.failure.kind !== 'nobody' || init.method) throw error;
    }
  }
}

function limited(init: RequestInit, ms: number | undefined): RequestInit {
  if (ms === undefined) return init;
  const limit = AbortSignal.timeout(ms);
  return { ...init, signal: init.signal ? AbortSignal.any([init.signal, limit]) : limit };
}

/** Sends JSON. */
export function send(
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  route: string,
  body?: unknown,
): Promise<unknown> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  return api(route, init);
}
