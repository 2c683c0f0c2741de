/** How much of the newest seconds is still to be reported: records come when a flow has ended, or now and then while it goes on. No DOM. */

import type { Lateness } from './api/schema';
import { percent } from './units';

/** A smaller share is not worth a word. */
export const SHARE_MIN = 0.02;

/** What of a picture is not all there. Times in milliseconds since 1970. */
export interface Incomplete {
  /** From here on so much is missing that it is shaded. */
  from: number;
  /** What was missing at a time: 0 to 1. */
  share: (at: number) => number;
}

/** The share that is missing of what is so many seconds old, between the ages that are known. */
export function shareOf({ ages }: Lateness, ageS: number): number {
  const next = ages.findIndex(({ age_s }) => age_s > ageS);
  const [younger, older] = [ages[Math.max(next - 1, 0)], ages[next]];
  if (!younger || !older) return 0;
  const part = Math.min(Math.max((ageS - younger.age_s) / Math.max(older.age_s - younger.age_s, 1), 0), 1);
  return younger.share + (older.share - younger.share) * part;
}

/** What is missing of what was known at a time; `undefined` if nothing is, or nothing is known of it. */
export function incomplete(lateness: Lateness, known: number): Incomplete | undefined {
  const { ages, octets } = lateness;
  const last = ages.at(-1);
  if (octets === 0 || !last) return undefined;
  const { age_s } = ages.find(({ share }) => share < SHARE_MIN) ?? last;
  if (age_s === 0) return undefined;
  return { from: known - age_s * 1000, share: (at) => shareOf(lateness, (known - at) / 1000) };
}

/** What is said of a time; nothing where hardly anything is missing. */
export function missingWords(of: Incomplete | undefined, at: number): string | undefined {
  const share = of?.share(at) ?? 0;
  return share < SHARE_MIN ? undefined : `records still arrive: ${percent(share)} missing`;
}
