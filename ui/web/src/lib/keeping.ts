/** What is kept how long, how full it is, and what goes first. No DOM. */

import type { Holdings, Inventory, Recorded } from './api/schema';
import { amount, count, duration, percent, text } from './units';

const DAY_MS = 86_400_000;

/** One thing that is kept. */
export interface Kept {
  title: string;
  /** How full, 0 to 1. */
  share: number;
  /** How full, in words. */
  full: string;
  /** How long, and what goes first. */
  words: string;
  /** Where that is set. */
  setting: string;
}

const octets = (n: number): string => text(amount(n));
const plural = (n: number, one: string): string => `${count(n)} ${one}${n === 1 ? '' : 's'}`;

/** What the server has not said yet is not known, which is not nothing. */
const UNKNOWN = { share: 0, full: 'not known yet' };

export function kept(
  holdings: Holdings,
  inventory: Inventory | undefined,
  recordings: Recorded[] | undefined,
  now: number,
): Kept[] {
  const all = [tape(holdings), taken(holdings, recordings)];
  return holdings.engine === 'none'
    ? all
    : [all[0], flows(holdings, inventory, now), all[1]].flatMap((it) => it ?? []);
}

function tape({ tape_octets, tape_octets_max, tape_hours_max }: Holdings): Kept {
  const share = tape_octets / Math.max(tape_octets_max, 1);
  const hours = tape_hours_max ? `after ${duration(tape_hours_max * 3_600_000)}, or ` : '';
  return {
    title: 'Tape: every datagram as it came',
    share,
    full: `${octets(tape_octets)} of ${octets(tape_octets_max)} (${percent(share)})`,
    words: `Its oldest part goes ${hours}when it is full. What a recording needs stays.`,
    setting: 'tape.max_octets, tape.max_age_hours',
  };
}

function flows({ flows_days }: Holdings, inventory: Inventory | undefined, now: number): Kept {
  return {
    title: 'Flow records',
    ...(inventory ? aged(inventory, flows_days, now) : UNKNOWN),
    words: `Each goes ${plural(flows_days, 'day')} after it was stored. Questions about single flows reach as far back.`,
    setting: 'store.retention.flows_days',
  };
}

function aged(
  { first, flows, octets_on_disk }: Inventory,
  days: number,
  now: number,
): Pick<Kept, 'share' | 'full'> {
  if (!first) return { share: 0, full: 'none yet' };
  const age = Math.max(0, now - Date.parse(first));
  // Whoever sees a part of the flows is not told.
  const size = octets_on_disk === undefined || octets_on_disk === null ? '' : `, ${octets(octets_on_disk)}`;
  return {
    share: Math.min(age / (days * DAY_MS), 1),
    full: `the oldest is ${duration(age)} old, of ${plural(days, 'day')}: ${count(flows)} records${size}`,
  };
}

function taken({ recordings_octets_max }: Holdings, recordings: Recorded[] | undefined): Kept {
  return {
    title: 'Recordings',
    ...(recordings ? filled(recordings, recordings_octets_max) : UNKNOWN),
    words:
      'None goes by itself: when they are full, another is refused until one is deleted. Those held on the tape count too, and are not in this bar.',
    setting: 'recordings.max_octets',
  };
}

function filled(recordings: Recorded[], most: number): Pick<Kept, 'share' | 'full'> {
  const own = recordings.reduce((sum, { counts }) => sum + (counts?.octets ?? 0), 0);
  const referenced = recordings.filter(({ counts }) => counts?.octets === 0).length;
  const share = own / Math.max(most, 1);
  const held = referenced > 0 ? `; ${count(referenced)} of them held on the tape` : '';
  return {
    share,
    full: `${plural(recordings.length, 'recording')}${held}: ${octets(own)} of their own, of ${octets(most)} (${percent(share)})`,
  };
}

/** Sums over time, the finest first, with the length of their bars: by logarithm, as a day and two years share a page. */
export function resolutions(holdings: Holdings): { step: string; days: number; share: number }[] {
  const all = [
    { step: 'Single flows', days: holdings.flows_days },
    { step: 'Sums of 10 s', days: holdings.rollup_10s_days },
    { step: 'Sums of a minute', days: holdings.rollup_1m_days },
    { step: 'Sums of an hour', days: holdings.rollup_1h_days },
  ];
  const most = Math.log(1 + Math.max(...all.map(({ days }) => days)));
  return all.map((it) => ({ ...it, share: Math.log(1 + it.days) / most }));
}
