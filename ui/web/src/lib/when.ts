/** Times as people write and read them, in the browser's own time zone. */

import { type Moment, seconds } from './address';

const two = (n: number): string => String(n).padStart(2, '0');

/** 10:42:05 */
export function clockTime(ms: number): string {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** 10:42, with seconds where they are not zero. */
export function shortTime(ms: number): string {
  const time = clockTime(ms);
  return time.endsWith(':00') ? time.slice(0, -3) : time;
}

/** 2026-03-01 */
export function date(ms: number): string {
  const at = new Date(ms);
  return `${String(at.getFullYear())}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** `today`, `yesterday` or the date. */
export function day(ms: number, now: number): string {
  const that = date(ms);
  if (that === date(now)) return 'today';
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  return that === date(yesterday.getTime()) ? 'yesterday' : that;
}

/** A moment in words: `today 10:42:05`. */
export function dayTime(ms: number, now: number): string {
  return `${day(ms, now)} ${clockTime(ms)}`;
}

/** How long ago: `now`, `12 s ago`, `3 min ago`, `2 h ago`, and the date from two days on. */
export function ago(ms: number, now: number): string {
  const s = Math.round((now - ms) / 1000);
  if (s < 2) return 'now';
  if (s < 100) return `${String(s)} s ago`;
  if (s < 100 * 60) return `${String(Math.round(s / 60))} min ago`;
  if (s < 48 * 3600) return `${String(Math.round(s / 3600))} h ago`;
  return date(ms);
}

const NAMES = { s: 's', m: 'min', h: 'h', d: 'd', w: 'weeks' } as const;

/** `15m` as `15 min`. */
export function length(last: string): string {
  const match = /^(\d+)\s*([smhdw])$/.exec(last);
  if (!match) return last;
  return `${match[1] ?? ''} ${NAMES[match[2] as keyof typeof NAMES]}`;
}

/** A stretch in words: `today 10:00–11:00`, `yesterday 23:50 – today 00:10`. */
export function stretch(from: number, to: number, now: number): string {
  const [first, last] = [day(from, now), day(to, now)];
  if (first === last) return `${first} ${shortTime(from)}–${shortTime(to)}`;
  return `${first} ${shortTime(from)} – ${last} ${shortTime(to)}`;
}

/** Which time is shown, in words. */
export function words(moment: Moment, now: number): string {
  if (moment.kind === 'live') return `last ${length(moment.last)}`;
  if (moment.kind === 'paused')
    return `${length(moment.last)} until ${dayTime(Date.parse(moment.asOf), now)}`;
  if (moment.kind === 'range') return stretch(Date.parse(moment.from), Date.parse(moment.to), now);
  return 'all of it';
}

/**
 * Reads what somebody writes for a time: `15m`, `last 2 h`, `today`, `yesterday 10:00-11:00`, `10:00 - 11:00`,
 * `2026-03-01 10:00 to 2026-03-02 09:30`, `2026-03-01 10:42` (15 minutes until then). `undefined` if it is none of these.
 */
export function understood(text: string, now: number): Moment | undefined {
  const said = text.trim().toLowerCase().replace(/\s+/g, ' ');
  const last = /^(?:last )?(\d+) ?(s|m|min|h|d|w)[a-z]*$/.exec(said);
  if (last) {
    const written = `${last[1] ?? ''}${(last[2] ?? '').charAt(0)}`;
    return seconds(written) ? { kind: 'live', last: written } : undefined;
  }
  const [head = '', tail, ...more] = said.split(/ to | ?– ?| - |(?<=\d:\d\d(?::\d\d)?)-/);
  if (more.length > 0) return undefined;
  const from = place(head, now, now);
  if (!from) return undefined;
  if (tail === undefined) {
    if (!from.hasTime) return range(from.at, Math.min(from.at + 86_400_000, now));
    return { kind: 'paused', last: '15m', asOf: new Date(from.at).toISOString() };
  }
  const to = place(tail, from.at, now);
  if (!to) return undefined;
  return range(from.at, to.hasTime ? to.at : to.at + 86_400_000);
}

function range(from: number, to: number): Moment | undefined {
  if (!(from < to)) return undefined;
  return { kind: 'range', from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}

/** A day, a time of a day, or both; a time alone is of the day of `near`. */
function place(text: string, near: number, now: number): { at: number; hasTime: boolean } | undefined {
  const match =
    /^(?:(today|yesterday|\d{4}-\d{2}-\d{2})(?:[ t]|$))?(?:(\d{1,2}):(\d{2})(?::(\d{2}))?)?(z?)$/.exec(
      text.trim(),
    );
  if (!match || text.trim() === '') return undefined;
  const [, named, hour, minute, second, zone] = match;
  const base = named && /^\d/.test(named) ? new Date(`${named}T00:00:00`) : new Date(named ? now : near);
  if (Number.isNaN(base.getTime())) return undefined;
  base.setHours(0, 0, 0, 0);
  if (named === 'yesterday') base.setDate(base.getDate() - 1);
  if (hour === undefined) return { at: base.getTime(), hasTime: false };
  if (Number(hour) > 24 || Number(minute) > 59 || Number(second ?? 0) > 59) return undefined;
  if (zone) {
    const days = named === 'yesterday' ? 1 : 0;
    const utc = new Date((named ? now : near) - days * 86_400_000).toISOString().slice(0, 10);
    const midnight = Date.parse(`${named && /^\d/.test(named) ? named : utc}T00:00:00Z`);
    return {
      at: midnight + (Number(hour) * 3600 + Number(minute) * 60 + Number(second ?? 0)) * 1000,
      hasTime: true,
    };
  }
  base.setHours(Number(hour), Number(minute), Number(second ?? 0));
  return { at: base.getTime(), hasTime: true };
}

/** Milliseconds between marks of a time axis so that there are at most `count` of them. */
export function tickStep(spanMs: number, count: number): number {
  const steps = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
  ];
  const found = steps.find((s) => spanMs / 1000 / s <= count);
  return (found ?? Math.ceil(spanMs / 86_400_000 / count) * 86_400) * 1000;
}

/** The marks of a time axis, at whole local times, and how they are written. */
export function ticks(from: number, to: number, count: number): { at: number; text: string }[] {
  const step = tickStep(to - from, count);
  const offset = (at: number) => new Date(at).getTimezoneOffset() * 60_000;
  const first = offset(from);
  const found = [];
  for (let local = Math.ceil((from - first) / step) * step; local + first <= to; local += step) {
    // Summer time may begin or end in between; marks finer than an hour need not know.
    const at = step > 3_600_000 ? local + offset(local + first) : local + first;
    if (at < from || at > to) continue;
    const text =
      step >= 86_400_000 ? date(at).slice(5) : step < 60_000 ? clockTime(at) : clockTime(at).slice(0, 5);
    found.push({ at, text });
  }
  return found;
}
