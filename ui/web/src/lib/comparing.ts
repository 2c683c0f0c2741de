/** What became of groups since the period before: which question says it, and the answer in words. */

import { type Moment, seconds, type Shared } from './address';
import type { Difference } from './api/schema';
import { path } from './fetching';
import { change, duration, rate, text } from './units';

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
