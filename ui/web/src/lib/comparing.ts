/** What became of groups since the period before: which question says it, and the answer in words. */

import { type Moment, seconds, type Shared } from './address';
import type { Comparison, Difference, Group, Verdict } from './api/schema';
import { path } from './fetching';
import { change, count, duration, percent, rate, text } from './units';

/**
 * The route that compares what is shown with as much right before it. Of all of a recording there is nothing before.
 * `moment` is what questions have as parameters; within a recording both sides are of it.
 */
export function compareRoute(
  dimension: string,
  moment: Record<string, string>,
  limit: number,
): string | undefined {
  const { filter, recording, last, as_of, from, to, known_at } = moment;
  const before = earlier(moment);
  if (recording && !before) return undefined;
  return path(`/api/v1/compare/${dimension}`, {
    limit,
    filter,
    after_recording: recording,
    after_last: last,
    after_as_of: as_of,
    after_from: from,
    after_to: to,
    after_known_at: known_at,
    // What is live has its period before by itself.
    ...(recording &&
      before && { before_recording: recording, before_from: before.from, before_to: before.to }),
  });
}

/** As much time right before, where it can be told from here. */
function earlier({
  last,
  as_of,
  from,
  to,
}: Record<string, string>): { from: string; to: string } | undefined {
  const end = Date.parse(to ?? as_of ?? '');
  const length = from && to ? Date.parse(to) - Date.parse(from) : (seconds(last ?? '') ?? NaN) * 1000;
  if (Number.isNaN(end) || Number.isNaN(length)) return undefined;
  return { from: new Date(end - 2 * length).toISOString(), to: new Date(end - length).toISOString() };
}

/** How a period before is called. */
export function beforeWords({ moment }: Pick<Shared, 'moment'>, length: string): string {
  const kinds: Record<Moment['kind'], string> = {
    live: `against the ${length} before`,
    paused: `against the ${length} before`,
    range: 'against as much time right before',
    all: '',
  };
  return kinds[moment.kind];
}

/** What changed, in a few words: `gone; had 15.1 Mbit/s`. */
export function changed(row: Difference): string {
  const words = row.verdicts.flatMap((verdict) => {
    const [before, after] = [row.before, row.after];
    const bits = (group: typeof before) => text(rate(8 * (group?.octets_per_s ?? 0), 'bit/s'));
    switch (verdict) {
      case 'new':
        return `new: ${bits(after)}`;
      case 'gone':
        return `gone; had ${bits(before)}`;
      case 'larger':
      case 'smaller':
        return `${change(before?.octets_per_s ?? 0, after?.octets_per_s ?? 0)}, now ${bits(after)}`;
      case 'slower':
      case 'faster':
        return `${verdict}: median ${duration(before?.duration_ms_median ?? NaN)} → ${duration(after?.duration_ms_median ?? NaN)}`;
      default:
        return [];
    }
  });
  return words.join('; ');
}

const bits = (octetsPerS: number): string => text(rate(8 * octetsPerS, 'bit/s'));

/** What became of a group, as sentences without their subject: `carries 9.5 times as much: 66.8 → 634 Mbit/s`. */
export function told(row: Difference): string[] {
  return row.verdicts.map((verdict) => sentenceOf(verdict, row.before, row.after)).filter(Boolean);
}

type Maybe = Group | null | undefined;

function sentenceOf(verdict: Verdict, before: Maybe, after: Maybe): string {
  const of = (group: Maybe) => (group ? `${bits(group.octets_per_s)}, ${clients(group.clients)}` : 'nothing');
  const [was, is] = [before?.octets_per_s ?? 0, after?.octets_per_s ?? 0];
  const median = (group: Maybe) => duration(group?.duration_ms_median ?? NaN);
  switch (verdict) {
    case 'new':
      return `is new: ${of(after)}`;
    case 'gone':
      return `is gone; it had ${of(before)}`;
    case 'larger':
    case 'smaller':
      return `carries ${times(was, is)}: ${bits(was)} → ${bits(is)}`;
    case 'slower':
    case 'faster':
      return `is ${verdict}: the median life of its flows is ${median(after)}, it was ${median(before)}`;
    case 'same':
      return '';
  }
}

const clients = (of: number): string => (of === 1 ? 'one client' : `${count(of)} clients`);

/** How many times as much, or how much less. */
export function times(was: number, is: number): string {
  if (is < was) return `${percent(1 - is / was)} less`;
  const factor = is / was;
  if (factor < 1.95) return `${percent(factor - 1)} more`;
  if (factor < 2.05) return 'twice as much';
  return `${factor >= 100 ? count(factor) : Number(factor.toPrecision(2)).toString()} times as much`;
}

/** What changed altogether: `Traffic is 4.6 times as much: 161 → 743 Mbit/s.` */
export function altogether({ before, after }: Comparison): string {
  const [was, is] = [before.octets_per_s, after.octets_per_s];
  if (before.flows === 0 && after.flows === 0) return 'There are no flows on either side.';
  if (before.flows === 0) return `Nothing was there before; now there are ${bits(is)}.`;
  if (after.flows === 0) return `Nothing is there any more; there were ${bits(was)}.`;
  const factor = is / was;
  if (factor > 0.95 && factor < 1.05) return `Traffic is about the same: ${bits(was)} → ${bits(is)}.`;
  return `There is ${times(was, is)} traffic: ${bits(was)} → ${bits(is)}.`;
}

export const VERDICTS: Record<Verdict, string> = {
  new: 'new',
  gone: 'gone',
  larger: 'larger',
  smaller: 'smaller',
  slower: 'slower',
  faster: 'faster',
  same: 'the same',
};

/** Whether what became of the life of its flows is welcome. */
export const lifeTone = (row: Difference | undefined): 'bad' | 'good' | undefined =>
  row?.verdicts.includes('slower') ? 'bad' : row?.verdicts.includes('faster') ? 'good' : undefined;

/** How many rows have each verdict. */
export function tally(rows: Difference[]): Record<Verdict, number> {
  const found = { new: 0, gone: 0, larger: 0, smaller: 0, slower: 0, faster: 0, same: 0 };
  for (const row of rows) for (const verdict of row.verdicts) found[verdict] += 1;
  return found;
}
