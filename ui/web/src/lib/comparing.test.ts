import { describe, expect, it } from 'vitest';
import type { Comparison, Difference, Group, Verdict } from './api/schema';
import { altogether, changed, compareRoute, lifeTone, tally, times, told } from './comparing';

const plain = (shown: string) => shown.replaceAll('\u00a0', ' ');
const query = (route: string | undefined) => Object.fromEntries(new URLSearchParams(route?.split('?')[1]));

const group = (octets_per_s: number, duration_ms_median: number | null = null, clients = 0): Group => ({
  ...{ octets: 0, packets: 0, flows: 0, flows_per_s: 0, ended_flows: 0 },
  ...{ octets_per_s, duration_ms_median, clients },
});
const difference = (
  verdicts: Difference['verdicts'],
  before: Group | null,
  after: Group | null,
): Difference => ({
  ...{ name: 'x', weight: 1, change_octets_per_s: 0, change_duration_ms: null },
  ...{ verdicts, before, after },
});

describe('comparing', () => {
  it('live leaves the period before to the server', () => {
    expect(query(compareRoute('applications', { last: '15m', filter: 'tcp' }, 50))).toEqual({
      after_last: '15m',
      filter: 'tcp',
      limit: '50',
    });
  });

  it('a recording is compared with itself, earlier', () => {
    const moment = { recording: 'outage', last: '1m', as_of: '2026-03-01T10:42:00.000Z', known_at: 'as_of' };
    expect(query(compareRoute('applications', moment, 50))).toMatchObject({
      after_recording: 'outage',
      after_as_of: '2026-03-01T10:42:00.000Z',
      before_recording: 'outage',
      before_from: '2026-03-01T10:40:00.000Z',
      before_to: '2026-03-01T10:41:00.000Z',
    });
    expect(compareRoute('applications', { recording: 'outage' }, 50)).toBeUndefined();
  });

  it('says what changed', () => {
    const row = (verdicts: Difference['verdicts'], before: Group | null, after: Group | null): string =>
      plain(changed(difference(verdicts, before, after)));
    expect(row(['gone'], group(1e6), null)).toBe('gone; had 8.00 Mbit/s');
    expect(row(['new'], null, group(125))).toBe('new: 1.00 kbit/s');
    expect(row(['larger', 'slower'], group(100, 120), group(250, 340))).toBe(
      '+150 %, now 2.00 kbit/s; slower: median 120 ms → 340 ms',
    );
    expect(row(['same'], group(1), group(1))).toBe('');
  });
});

describe('in sentences', () => {
  const said = (verdicts: Difference['verdicts'], before: Group | null, after: Group | null) =>
    told(difference(verdicts, before, after)).map(plain);
  it('tells of a group', () => {
    expect(said(['new'], null, group(125, null, 1))).toEqual(['is new: 1.00 kbit/s, one client']);
    expect(said(['gone'], group(1e6, null, 12), null)).toEqual(['is gone; it had 8.00 Mbit/s, 12 clients']);
    expect(said(['larger', 'slower'], group(100, 120), group(950, 340))).toEqual([
      'carries 9.5 times as much: 800 bit/s → 7.60 kbit/s',
      'is slower: the median life of its flows is 340 ms, it was 120 ms',
    ]);
    expect(said(['smaller'], group(100), group(25))).toEqual(['carries 75 % less: 800 bit/s → 200 bit/s']);
    expect(said(['same'], group(1), group(1))).toEqual([]);
  });

  it('says how many times', () => {
    expect([times(100, 160), times(100, 200), times(1, 123), times(1, 40_000)].map(plain)).toEqual([
      '60 % more',
      'twice as much',
      '123 times as much',
      '40,000 times as much',
    ]);
  });

  it('tells of all of it', () => {
    const side = (octets_per_s: number) => ({
      ...{ from: '', to: '', octets: 0, flows: octets_per_s, octets_per_s },
    });
    const all = (was: number, is: number) => {
      const rest: Omit<Comparison, 'before' | 'after'> = { changed: 0, same: 0, untold: 0, rows: [] };
      return plain(altogether({ before: side(was), after: side(is), ...rest }));
    };
    expect(all(100, 450)).toBe('There is 4.5 times as much traffic: 800 bit/s → 3.60 kbit/s.');
    expect(all(100, 70)).toBe('There is 30 % less traffic: 800 bit/s → 560 bit/s.');
    expect(all(100, 102)).toBe('Traffic is about the same: 800 bit/s → 816 bit/s.');
    expect(all(0, 100)).toBe('Nothing was there before; now there are 800 bit/s.');
    expect(all(100, 0)).toBe('Nothing is there any more; there were 800 bit/s.');
    expect(all(0, 0)).toBe('There are no flows on either side.');
  });

  it('welcomes what became faster', () => {
    const tones = [['slower', 'larger'], ['faster'], ['gone'], []] as Verdict[][];
    expect(tones.map((verdicts) => lifeTone(difference(verdicts, group(1), group(1))))).toEqual([
      'bad',
      'good',
      undefined,
      undefined,
    ]);
    expect(lifeTone(undefined)).toBeUndefined();
  });

  it('counts what became of them', () => {
    const rows = [
      difference(['new'], null, group(1)),
      difference(['larger', 'slower'], group(1), group(2)),
      difference(['larger'], group(1), group(2)),
    ];
    expect(tally(rows)).toMatchObject({ new: 1, larger: 2, slower: 1, gone: 0 });
  });
});
