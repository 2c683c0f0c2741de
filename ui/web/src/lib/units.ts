/** Numbers as people read them: every one with its unit, three digits that count, SI prefixes. */

/** What a quantity is measured in when it flows. */
export type Rate = 'bit/s' | 'packets/s' | 'flows/s' | 'clients';

/** A number and its unit, apart, so that columns of numbers line up. */
export interface Measure {
  number: string;
  unit: string;
}

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
const MINUS = '\u2212';
/** Between a number and its unit: never broken, as ISO 80000 wants it. */
const SPACE = '\u00a0';

/** The power of 1,000 whose prefix suits a value; a value is rounded first, as 999.6 is shown as 1.00 k. */
export function power(value: number): number {
  const size = Math.abs(value);
  if (!(size >= 1)) return 0;
  const rounded = Number(size.toPrecision(3));
  return Math.min(Math.floor(Math.log10(rounded) / 3), PREFIXES.length - 1);
}

/** Three digits that count: 0.12, 1.23, 12.3, 123. */
function digits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  const rounded = Number(size.toPrecision(3));
  if (rounded < 0.01) return (value < 0 ? `${MINUS}` : '') + '<0.01';
  const places = rounded >= 100 ? 0 : rounded >= 10 ? 1 : 2;
  return (value < 0 ? MINUS : '') + rounded.toFixed(places);
}

/** With a prefix: 12_300_000 is 12.3 M. */
export function si(value: number, unit: string): Measure {
  if (!Number.isFinite(value)) return { number: '–', unit: '' };
  const p = power(value);
  return { number: digits(value / 1000 ** p), unit: `${PREFIXES[p] ?? ''}${unit}` };
}

/** A rate: bit/s with prefixes, packets/s, flows/s; clients are counted and have no rate. */
export function rate(perSecond: number, unit: Rate): Measure {
  if (unit === 'bit/s') return si(perSecond, 'bit/s');
  const { number, unit: prefix } = si(perSecond, '');
  if (number === '–') return { number, unit: '' };
  return { number, unit: `${prefix}${prefix && SPACE}${unit}` };
}

/** In one piece, as in sentences and tooltips. */
export function text({ number, unit }: Measure): string {
  return unit ? `${number}${SPACE}${unit}` : number;
}

/** Octets as an amount: 5.60 GB. */
export const amount = (octets: number): Measure => si(octets, 'B');

/** A whole number: all its digits below a million. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) < 1e6) return Math.round(value).toLocaleString('en').replace('-', MINUS);
  const { number, unit } = si(value, '');
  return `${number}${SPACE}${unit}`;
}

/** A share of one as per cent. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return '–';
  if (share > 0 && share < 0.001) return `<0.1${SPACE}%`;
  return `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)}${SPACE}%`;
}

/** What became of a value: +12 %, −8 %, ×12; `new` where nothing was, `gone` where nothing is. */
export function change(before: number, after: number): string {
  if (before === 0 && after === 0) return '–';
  if (before === 0) return 'new';
  if (after === 0) return 'gone';
  const times = after / before;
  if (times >= 10)
    return `×${times >= 1000 ? '>999' : digits(Number(times.toPrecision(2)))}`.replace('.0', '');
  const by = Math.round((times - 1) * 100);
  if (by === 0) return `±0${SPACE}%`;
  return `${by > 0 ? '+' : MINUS}${Math.abs(by)}${SPACE}%`;
}

/** Milliseconds as a person says them: 320 ms, 1.25 s, 2 min 3 s, 4 h 5 min, 3 d 4 h. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  const size = Math.abs(ms);
  const sign = ms < 0 ? MINUS : '';
  if (size < 999.5) return `${sign}${digits(size)}${SPACE}ms`;
  if (size < 59_950) return `${sign}${digits(size / 1000)}${SPACE}s`;
  const whole = Math.round(size / 1000);
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor((whole % 86_400) / 3600), 'h'],
    [Math.floor((whole % 3600) / 60), 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  const shown = parts.slice(first, first + 2).filter(([n]) => n > 0);
  return sign + shown.map(([n, unit]) => `${n}${SPACE}${unit}`).join(' ');
}

/** Values of one axis share a prefix: which one suits the largest. */
export function axis(max: number, unit: Rate): { divide: number; unit: string } {
  const p = power(max);
  const prefix = PREFIXES[p] ?? '';
  return {
    divide: 1000 ** p,
    unit: unit === 'bit/s' ? `${prefix}${unit}` : `${prefix}${prefix && SPACE}${unit}`,
  };
}

/** What is summed up over an interval, as a rate of its unit. */
export function perSecond(value: number, seconds: number, unit: Rate): number {
  if (unit === 'clients') return value;
  return ((unit === 'bit/s' ? 8 : 1) * value) / Math.max(seconds, 1e-9);
}
