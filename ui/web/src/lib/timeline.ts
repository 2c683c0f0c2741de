/** Geometry of the timeline: how much of the tape it shows, and its small curve. No DOM. */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SPANS = [
  HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
  14 * DAY,
  30 * DAY,
  90 * DAY,
  365 * DAY,
];

/**
 * How much time before now a timeline shows: all that is shown on the page with room around it, at least four times its length,
 * by steps that do not change while somebody looks.
 */
export function spanMs(shown: { from: number; to: number }, now: number): number {
  const wanted = Math.max(4 * (shown.to - shown.from), 1.15 * (now - shown.from));
  return SPANS.find((span) => span >= wanted) ?? SPANS.at(-1) ?? DAY;
}

/** The span that is there, as long as it suits: nobody wants the ground to move under a hand that scrubs. */
export function keptSpanMs(
  there: number | undefined,
  shown: { from: number; to: number },
  now: number,
): number {
  const length = shown.to - shown.from;
  const suits =
    there !== undefined && now - shown.from <= there && length >= there / 240 && length * 2 <= there;
  return suits ? there : spanMs(shown, now);
}

/** Where a time is, in pixels from the left, if so many stand for all of it. */
export function placeOf(at: number, all: { from: number; to: number }, width: number): number {
  return ((at - all.from) / Math.max(all.to - all.from, 1)) * width;
}

/** A closed curve over values, as the `d` of an SVG path in a box. */
export function area(values: readonly number[], width: number, height: number): string {
  if (values.length === 0) return '';
  const max = Math.max(...values, 1e-9);
  const step = width / values.length;
  const y = (value: number) => (height - (value / max) * height).toFixed(1);
  const points = values.map((value, at) => `L${((at + 0.5) * step).toFixed(1)} ${y(value)}`);
  const [first = 0, last = 0] = [values[0], values.at(-1)];
  return `M0 ${String(height)}L0 ${y(first)}${points.join('')}L${width.toFixed(1)} ${y(last)}L${width.toFixed(1)} ${String(height)}Z`;
}

/** An open line over values. */
export function line(
  values: readonly number[],
  width: number,
  height: number,
  max = Math.max(...values, 1e-9),
): string {
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  const y = (value: number) => (height - 1 - (value / max) * (height - 2)).toFixed(1);
  return values.map((value, at) => `${at === 0 ? 'M' : 'L'}${(at * step).toFixed(1)} ${y(value)}`).join('');
}
