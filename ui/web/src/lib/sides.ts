/** The two sides of a comparison, as an address says them: `a_…` is what stands before, `b_…` what is looked into. No DOM. */

import { asked, type Moment, read, seconds, type Shared } from './address';
import type { SideTotals } from './api/schema';
import { path } from './fetching';
import { length, stretch } from './when';

export type Which = 'a' | 'b';

export type Side =
  /** All of a recording, or a stretch of it. */
  | { kind: 'recording'; name: string; moment: Moment }
  /** A stretch of what is live, or of what was. */
  | { kind: 'stretch'; moment: Moment }
  /** What was live so much earlier than the other side, and as long; right before it if nothing is said. */
  | { kind: 'earlier'; by: string | undefined }
  /** What the clock of all pages shows. */
  | { kind: 'clock' };

/** How much earlier if nothing is said: the same hour of the day before. */
export const EARLIER = '1d';
/** In place of a length: as much time, right before. */
const RIGHT_BEFORE = 'none';

const PARTS = ['recording', 'last', 'from', 'to', 'as_of'] as const;

/** What an address says of a side. */
export function sideOf(which: Which, own: (name: string) => string | undefined): Side {
  const query = new URLSearchParams();
  for (const part of PARTS) {
    const value = own(`${which}_${part}`);
    if (value) query.set(part, value);
  }
  const { recording, moment } = read(query);
  if (recording) return { kind: 'recording', name: recording, moment };
  if (query.size > 0) return { kind: 'stretch', moment };
  if (which === 'b') return { kind: 'clock' };
  const shift = own('a_shift');
  if (shift === RIGHT_BEFORE) return { kind: 'earlier', by: undefined };
  return { kind: 'earlier', by: shift && seconds(shift) ? shift : EARLIER };
}

/** The parameters of an address that say this side; those that it does not need are `undefined`. */
export function sideParameters(which: Which, side: Side): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = {};
  for (const part of PARTS) found[`${which}_${part}`] = undefined;
  if (which === 'a') found['a_shift'] = undefined;
  if (side.kind === 'earlier' && side.by !== EARLIER) found['a_shift'] = side.by ?? RIGHT_BEFORE;
  if (side.kind === 'recording' || side.kind === 'stretch') {
    const recording = side.kind === 'recording' ? side.name : undefined;
    const parts = asked({ recording, filter: '', moment: side.moment, known: 'final' });
    for (const [part, value] of Object.entries(parts)) found[`${which}_${part}`] = value;
  }
  return found;
}

/** The same, as the parameters of a link. */
export function sidesLink(a: Side, b: Side): Record<string, string> {
  const all = { ...sideParameters('a', a), ...sideParameters('b', b) };
  return Object.fromEntries(Object.entries(all).filter((it): it is [string, string] => it[1] !== undefined));
}

/** Whether the question has another answer each second: a side ends now. */
export function follows(a: Side, b: Side): boolean {
  const isLive = (side: Side) =>
    side.kind === 'clock' || (side.kind === 'stretch' && side.moment.kind === 'live');
  return isLive(a) || isLive(b);
}

/** The route that compares them. `moment` is what questions have as parameters: what the clock shows. */
export function sidesRoute(
  dimension: string,
  [a, b]: [Side, Side],
  moment: Record<string, string>,
  limit: number,
): string {
  const { filter, ...shown } = moment;
  const parameters: Record<string, string | number | undefined> = { limit, filter };
  const take = (prefix: string, parts: Record<string, string>) => {
    for (const [name, value] of Object.entries(parts)) parameters[`${prefix}_${name}`] = value;
  };
  const own = (side: Side): Record<string, string> => {
    if (side.kind === 'clock') return shown;
    if (side.kind === 'earlier') return side.by ? { shift: side.by } : {};
    const recording = side.kind === 'recording' ? side.name : undefined;
    return asked({ recording, filter: '', moment: side.moment, known: 'final' });
  };
  take('before', own(a));
  take('after', own(b));
  return path(`/api/v1/compare/${dimension}`, parameters);
}

/** What a page shows of one side alone: `totals` say when it was. */
export function sharedOf(side: Side, shared: Shared, totals: SideTotals | undefined): Partial<Shared> {
  if (side.kind === 'clock') return {};
  if (side.kind === 'recording') return { recording: side.name, moment: side.moment, known: 'final' };
  const live: Partial<Shared> = { recording: undefined, known: 'final' };
  if (side.kind === 'stretch') return { ...live, moment: side.moment };
  const { from, to } = totals ?? {};
  return from && to
    ? { ...live, moment: { kind: 'range', from: iso(from), to: iso(to) } }
    : { ...live, moment: shared.moment };
}

const iso = (text: string): string => new Date(Date.parse(text)).toISOString();

/** When a side was, in words. */
export function sideWords(side: Side, totals: SideTotals | undefined, now: number): string {
  const when = totals ? stretch(second(totals.from), second(totals.to), now) : '';
  if (side.kind === 'stretch' && side.moment.kind === 'live') return `live, last ${length(side.moment.last)}`;
  return when;
}

/** Times of arrival have nanoseconds; nobody compares by these. */
const second = (text: string): number => Math.round(Date.parse(text) / 1000) * 1000;

/** `1d` as `a day`. */
export function earlierWords(by: string): string {
  const words: Record<string, string> = { '1h': 'an hour', '1d': 'a day', '1w': 'a week', '7d': 'a week' };
  return words[by] ?? length(by);
}

/** A moment as somebody writes it, for `understood`; empty for all of a recording. */
export function momentText(moment: Moment, now: number): string {
  if (moment.kind === 'live') return moment.last;
  if (moment.kind === 'range') return stretch(Date.parse(moment.from), Date.parse(moment.to), now);
  if (moment.kind === 'all') return '';
  const to = Date.parse(moment.asOf);
  return stretch(to - (seconds(moment.last) ?? 0) * 1000, to, now);
}
