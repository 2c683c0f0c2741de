/** The queue while somebody reads it: nothing moves under their hand. No DOM here. */

import type { Ticket } from './api/schema';

/** Whose tickets are looked at, by the word in the address. */
export const WHOSE = { anybody: 'anybody’s', mine: 'mine', nobody: 'nobody’s' } as const;
export type Whose = keyof typeof WHOSE;

export const whoseOf = (text: string | undefined): Whose =>
  (Object.keys(WHOSE) as Whose[]).find((it) => it === text) ?? 'anybody';

/** How the server is asked for them. */
export function whoseAsked(
  whose: Whose,
  me: string | undefined,
): Record<string, string | boolean | undefined> {
  if (whose === 'mine') return { assignee: me };
  return whose === 'nobody' ? { unassigned: true } : {};
}

export interface Held {
  /** In the order in which they were; `isGone` is no longer in this list. */
  rows: { ticket: Ticket; isGone: boolean }[];
  /** How many have come since. */
  fresh: number;
}

/** What was shown, as it is by now. `now` is a page of at most `most`: what came may have pushed others off its end. */
export function held(shown: Ticket[], now: Ticket[], most: number): Held {
  const known = new Map(now.map((ticket) => [ticket.number, ticket]));
  const last = now.length < most ? 0 : (now.at(-1)?.number ?? 0);
  const newest = shown[0]?.number ?? 0;
  return {
    rows: shown.map((was) => ({
      ticket: known.get(was.number) ?? was,
      isGone: was.number > last && !known.has(was.number),
    })),
    fresh: now.filter(({ number }) => number > newest).length,
  };
}
