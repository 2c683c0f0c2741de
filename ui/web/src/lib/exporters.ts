/** What is wrong with exporters, in a line each. No DOM. */

import type { Exporter, ExporterHealth, SequenceState } from './api/schema';
import { count, duration, percent } from './units';
import { ago } from './when';

/** Nothing for so long is silence: exporters send at least what is left of their active timeout, mostly a minute. */
const SILENT_MS_MIN = 120_000;
/** A share that is lost on the way and changes what answers say. */
const LOSSY = 0.001;
/** A clock that is further off puts flows into the wrong minute; as the server's hints have it (`flow/src/hints.rs`). */
const CLOCK_OFF_MS = 2000;

/** After how much time without a datagram it is silent: three times its active timeout, at least two minutes. */
export function silentAfterMs(exporter: ExporterHealth): number {
  return Math.max(SILENT_MS_MIN, 3000 * (exporter.active_timeout_s ?? 0));
}

/** Whether nothing comes from it any more. What was imported has no more to say. */
export function isSilent(exporter: ExporterHealth, now: number): boolean {
  return exporter.feed === 0 && now - Date.parse(exporter.last_seen) > silentAfterMs(exporter);
}

/** Whether its clock is so far off that it matters. */
export const isClockOff = ({ clock_offset_ms }: ExporterHealth): boolean =>
  Math.abs(clock_offset_ms ?? 0) > CLOCK_OFF_MS;

/** How many there are, and how many of them are heard. One of several observation domains is heard if one of these is. */
export function heard(all: ExporterHealth[], now: number): { all: number; heard: number } {
  const found = new Map<string, boolean>();
  for (const it of all) found.set(it.address, (found.get(it.address) ?? false) || !isSilent(it, now));
  return { all: found.size, heard: [...found.values()].filter(Boolean).length };
}

/** What their numbers say was lost: records (v5, IPFIX) and datagrams (v9) alike. */
export const lost = (all: ExporterHealth[]): number => all.reduce((sum, it) => sum + it.sequence_lost, 0);

/** The share that was lost of what was sent, in the unit that its numbers count. */
export function lostShare(exporter: ExporterHealth): number {
  const got = lossUnit(exporter) === 'datagrams' ? exporter.datagrams : exporter.records;
  return exporter.sequence_lost / Math.max(1, exporter.sequence_lost + got);
}

export interface Trouble {
  exporter: ExporterHealth;
  /** `bad` loses data; `warn` limits what can be answered. */
  tone: 'bad' | 'warn';
  text: string;
}

/** What is wrong, the worst first. */
export function troubles(all: ExporterHealth[], now: number): Trouble[] {
  const found = all.flatMap((exporter): Trouble[] => {
    const mine: Trouble[] = [];
    const say = (tone: Trouble['tone'], text: string) => mine.push({ exporter, tone, text });
    if (isSilent(exporter, now)) say('bad', `silent, last heard ${ago(Date.parse(exporter.last_seen), now)}`);
    const share = lostShare(exporter);
    if (share >= LOSSY) say('bad', `${percent(share)} lost on the way (${count(exporter.sequence_lost)})`);
    const broken = Object.values(exporter.problems).reduce((sum, n) => sum + n, 0);
    if (broken > 0) say('warn', `${count(broken)} could not be decoded`);
    if (exporter.waiting_for_template > 0)
      say('warn', `${count(exporter.waiting_for_template)} wait for their template`);
    if (isClockOff(exporter)) say('warn', `its clock is ${clockWords(exporter.clock_offset_ms)}`);
    return mine;
  });
  return found.sort((a, b) => Number(a.tone === 'warn') - Number(b.tone === 'warn'));
}

/** The worst first: what loses data before what limits answers, then by name. */
export function worstFirst(all: Exporter[], now: number): Exporter[] {
  const badness = (it: Exporter): number[] => [
    it.hints.filter(({ weight }) => weight === 'warning').length,
    Number(isSilent(it, now)),
    lostShare(it),
    it.hints.length,
  ];
  const sorted = all.map((exporter) => ({ exporter, badness: badness(exporter) }));
  sorted.sort((a, b) => {
    const at = a.badness.findIndex((value, index) => value !== b.badness[index]);
    if (at >= 0) return (b.badness[at] ?? 0) - (a.badness[at] ?? 0);
    return called(a.exporter).localeCompare(called(b.exporter), 'en', { numeric: true });
  });
  return sorted.map(({ exporter }) => exporter);
}

export const called = ({ name, address }: ExporterHealth): string => name ?? address;

/** `1 of 100`, `every packet`; nothing if it does not say. */
export function samplingWords(intervals: number[]): string {
  if (intervals.length === 0) return 'not said';
  return intervals.map((interval) => (interval <= 1 ? 'every packet' : `1 of ${count(interval)}`)).join(', ');
}

/** `2.46 s behind`, `60 s ahead`. */
export function clockWords(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return 'not known';
  if (ms === 0) return 'none';
  return `${duration(Math.abs(ms))} ${ms < 0 ? 'behind' : 'ahead'}`;
}

const STAMPS: Record<string, string> = {
  uptime_ms: 'uptime, to the millisecond',
  s: 'whole seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  delta_us: 'microseconds before export',
  observation: 'time of observation',
  received: 'none: the time of arrival is taken',
};

/** How it stamps flows. */
export function stampWords(kinds: string[]): string {
  return kinds.map((kind) => STAMPS[kind] ?? kind.replaceAll('_', ' ')).join(', ') || 'not known yet';
}

/** What its sequence numbers are good for. */
export const SEQUENCES: Record<SequenceState, string> = {
  unknown: 'too little seen',
  counting: 'count as they should',
  not_counting: 'do not count: losses cannot be told',
  none: 'its protocol has none',
};

/** What its sequence numbers count. */
export function lossUnit({ protocol }: ExporterHealth): string {
  return protocol.includes('v9') || protocol.includes('sFlow') ? 'datagrams' : 'records';
}
