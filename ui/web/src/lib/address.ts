/** What stands in an address: everything that a page shows. No DOM here. */

import { match } from './routes';

/** What is known in an answer: all that has arrived since, or only what had arrived by the time that is shown. */
export type Known = 'final' | 'then';

/** Which time is shown. */
export type Moment =
  | { kind: 'live'; last: string }
  | { kind: 'paused'; last: string; asOf: string }
  | { kind: 'range'; from: string; to: string }
  /** All of a recording. */
  | { kind: 'all' };

/** What all pages share, and navigation keeps. */
export interface Shared {
  recording: string | undefined;
  filter: string;
  moment: Moment;
  known: Known;
}

/** How much is shown if nothing is said. */
export const LAST = '15m';
/** How much of a recording is shown at a position if nothing is said. */
export const LAST_RECORDED = '1m';

const SHARED = ['recording', 'filter', 'last', 'from', 'to', 'as_of', 'known'] as const;
const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds of `90s`, `15m`, `2h`, `7d`; `undefined` for anything else. */
export function seconds(last: string): number | undefined {
  const match = /^(\d{1,9})\s*([smhdw])$/.exec(last.trim());
  const unit = UNITS[match?.[2] ?? ''];
  const value = Number(match?.[1]) * (unit ?? NaN);
  return value > 0 ? value : undefined;
}

/** The shortest way to write so many seconds. */
export function written(s: number): string {
  const whole = Math.max(1, Math.round(s));
  const unit = (['d', 'h', 'm'] as const).find((name) => whole % (UNITS[name] ?? 1) === 0) ?? 's';
  return `${whole / (UNITS[unit] ?? 1)}${unit}`;
}

/** The recording whose own page is at a path: what is shown there is of it, without a word in the query. */
export function recordingAt(path: string): string | undefined {
  return match('/recordings/:name', path)?.['name'];
}

/** What an address says of what all pages share. What makes no sense is as if it were not there. */
export function read(query: URLSearchParams, path = '/'): Shared {
  const recording = recordingAt(path) ?? query.get('recording') ?? undefined;
  const said = query.get('last') ?? '';
  const last = seconds(said) ? said : recording ? LAST_RECORDED : LAST;
  const [from, to, asOf] = ['from', 'to', 'as_of'].map((name) => instant(query.get(name)));
  let moment: Moment = recording ? { kind: 'all' } : { kind: 'live', last };
  if (from && to && from < to) moment = { kind: 'range', from, to };
  else if (asOf) moment = { kind: 'paused', last, asOf };
  const known = query.get('known') === 'then' ? 'then' : 'final';
  return { recording, filter: query.get('filter') ?? '', moment, known };
}

/** As RFC 3339 in UTC, so that two can be compared as text. */
function instant(text: string | null): string | undefined {
  const ms = text === null ? NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}

/** The address of a page: its own parameters, and what all share. What is as always is left out. */
export function write(path: string, shared: Shared, own: Iterable<[string, string]> = []): string {
  const query = new URLSearchParams();
  for (const [name, value] of own) if (value && !isShared(name)) query.append(name, value);
  const { recording, filter, moment, known } = shared;
  const usual = recording ? LAST_RECORDED : LAST;
  if (recording && recording !== recordingAt(path)) query.set('recording', recording);
  if ('last' in moment && moment.last !== usual) query.set('last', moment.last);
  if (moment.kind === 'paused') query.set('as_of', moment.asOf);
  if (moment.kind === 'range') {
    query.set('from', moment.from);
    query.set('to', moment.to);
  }
  if (known !== 'final') query.set('known', known);
  if (filter) query.set('filter', filter);
  const text = query.toString().replaceAll('%3A', ':').replaceAll('%2C', ',');
  return text ? `${path}?${text}` : path;
}

/** The parameters of an address that belong to its page alone. */
export function own(query: URLSearchParams): [string, string][] {
  return [...query].filter(([name]) => !isShared(name));
}

function isShared(name: string): boolean {
  return (SHARED as readonly string[]).includes(name);
}

/** What a question's route is asked for this moment. `at` is the position of a player, or of a hand that scrubs. */
export function asked(shared: Shared, at?: { position: string; last: string }): Record<string, string> {
  const { recording, filter, known } = shared;
  const moment: Moment = at ? { kind: 'paused', last: at.last, asOf: at.position } : shared.moment;
  const parameters: Record<string, string> = {};
  if (recording) parameters['recording'] = recording;
  if (filter.trim()) parameters['filter'] = filter;
  if (moment.kind === 'range') Object.assign(parameters, { from: moment.from, to: moment.to });
  if (moment.kind === 'live' || moment.kind === 'paused') parameters['last'] = moment.last;
  if (moment.kind === 'paused') parameters['as_of'] = moment.asOf;
  if (known === 'then') {
    if (moment.kind === 'paused') parameters['known_at'] = 'as_of';
    if (moment.kind === 'range') parameters['known_at'] = moment.to;
  }
  return parameters;
}
