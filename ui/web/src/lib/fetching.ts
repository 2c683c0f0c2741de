/** One request to the server, and what can go wrong with it. */

import type { ErrorBody } from './api/schema';
import { harmless } from './names';

/** The server's words may hold what somebody wrote into an address. */
const SENTENCE_MAX = 600;
const DETAIL_MAX = 4000;

/** Why there is no answer. */
export interface Failure {
  /**
   * `unreachable`: no server. `later`: it says that it will pass. `refused`: the question is wrong. `missing`: no such thing.
   * `nobody`: it does not know who asks. `forbidden`: whoever asks may not.
   */
  kind: 'unreachable' | 'later' | 'refused' | 'missing' | 'failed' | 'nobody' | 'forbidden';
  error: string;
  detail?: string | undefined;
  parameter?: string | undefined;
  column?: number | undefined;
  /** When it may be tried again, in seconds, if the server says so. */
  waitS?: number | undefined;
}

/** A [`Failure`] that is thrown. */
export class Failed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.error);
  }
}

export type Parameters = Record<string, string | number | boolean | null | undefined>;

/** The path with what is said of its parameters. */
export function path(route: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, String(value));
  }
  const text = query.toString();
  return text ? `${route}?${text}` : route;
}

/** Of live questions, an answer that somebody else got within the last second is as good: fifty who look cost what one does. */
export const SHARED: Record<string, string> = { 'cache-control': 'max-age=1' };

/** Whether a route is such a question. */
export function isLive(route: string): boolean {
  const [place = '', query = ''] = route.split('?');
  const said = new URLSearchParams(query);
  const isHeld = ['from', 'to', 'as_of', 'known_at', 'recording'].some((name) => said.has(name));
  return /^\/api\/v1\/(series|top\/[^/]+)$/.test(place) && said.has('last') && !isHeld;
}

/** Asks and reads JSON. `onServer` hears whether a server answered at all. */
export async function fetchJson(
  route: string,
  init: RequestInit = {},
  onServer: (reached: boolean) => void = () => undefined,
): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(route, { ...init, headers: { accept: 'application/json', ...init.headers } });
    // A connection may break in the middle of it, too.
    text = await response.text();
  } catch (error) {
    if (init.signal?.aborted && !isLate(init.signal)) throw error;
    onServer(false);
    throw new Failed({ kind: 'unreachable', error: 'The server does not answer.' });
  }
  const body = parsed(text);
  // Between us and the server something else may answer, which has no JSON for us.
  const isOurs = body !== undefined || (response.ok && text === '');
  onServer(isOurs);
  if (response.ok && isOurs) return body;
  if (response.ok) throw new Failed(STRANGER);
  const waitS = Number(response.headers.get('retry-after')) || undefined;
  throw new Failed({ ...failure(response.status, body), waitS });
}

const STRANGER: Failure = {
  kind: 'unreachable',
  error: 'Something else answers in place of the server, such as a proxy that wants a sign-in.',
};

/** Whether it was given up for the time it took, and not because nobody wants it any more. */
const isLate = ({ reason }: AbortSignal): boolean =>
  reason instanceof DOMException && reason.name === 'TimeoutError';

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a status and its body mean. */
export function failure(status: number, body: unknown): Failure {
  const said = (typeof body === 'object' && body !== null ? body : {}) as Partial<ErrorBody>;
  if (typeof said.error !== 'string') {
    return status >= 500
      ? { kind: 'unreachable', error: 'The server does not answer.' }
      : { kind: 'failed', error: `The server answered with status ${String(status)} and no reason.` };
  }
  return {
    kind: kind(status),
    error: sentence(harmless(said.error, SENTENCE_MAX)),
    detail: said.detail ? harmless(said.detail.replace(/\s+/g, ' '), DETAIL_MAX) : undefined,
    parameter: said.parameter ?? undefined,
    column: said.column ?? undefined,
  };
}

function kind(status: number): Failure['kind'] {
  if (status === 401) return 'nobody';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'missing';
  if (status === 408 || status === 429 || status === 503) return 'later';
  return status < 500 ? 'refused' : 'failed';
}

/** The server's messages are pieces of sentences; alone in a page they begin and end like one. */
export function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}
