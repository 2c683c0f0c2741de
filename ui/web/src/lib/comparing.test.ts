import { describe, expect, it } from 'vitest';
import type { Difference, Group } from './api/schema';
import { changed, compareRoute } from './comparing';

const plain = (shown: string) => shown.replaceAll('\u00a0', ' ');
const query = (route: string | undefined) => Object.fromEntries(new URLSearchParams(route?.split('?')[1]));

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
    const group = (octets_per_s: number, duration_ms_median: number | null = null): Group => ({
      ...{ octets: 0, packets: 0, flows: 0, clients: 0, flows_per_s: 0, ended_flows: 0 },
      octets_per_s,
      duration_ms_median,
    });
    const row = (verdicts: Difference['verdicts'], before: Group | null, after: Group | null): string =>
      plain(
        changed({
          name: 'x',
          verdicts,
          weight: 1,
          before,
          after,
          change_octets_per_s: 0,
          change_duration_ms: null,
        }),
      );
    expect(row(['gone'], group(1e6), null)).toBe('gone; had 8.00 Mbit/s');
    expect(row(['new'], null, group(125))).toBe('new: 1.00 kbit/s');
    expect(row(['larger', 'slower'], group(100, 120), group(250, 340))).toBe(
      '+150 %, now 2.00 kbit/s; slower: median 120 ms → 340 ms',
    );
    expect(row(['same'], group(1), group(1))).toBe('');
  });
});
