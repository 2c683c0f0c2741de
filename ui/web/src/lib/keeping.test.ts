import { describe, expect, it } from 'vitest';
import type { Holdings, Recorded } from './api/schema';
import { kept, resolutions } from './keeping';

const HOLDINGS: Holdings = {
  tape_octets: 5e9,
  tape_octets_max: 2e10,
  tape_hours_max: 48,
  engine: 'embedded',
  flows_days: 30,
  rollup_10s_days: 7,
  rollup_1m_days: 90,
  rollup_1h_days: 730,
  recordings_octets_max: 1e10,
  disk_room_octets: 1e11,
};
const now = Date.parse('2026-03-31T00:00:00Z');
const recording = (octets: number) => ({ counts: { octets } }) as Recorded;

describe('what is kept', () => {
  it('says how full and how long', () => {
    const inventory = { flows: 1000, octets_on_disk: 2_000_000, first: '2026-03-16T00:00:00Z' };
    const [tape, flows, recordings] = kept(HOLDINGS, inventory, [recording(0), recording(1e9)], now);
    expect(tape).toMatchObject({ share: 0.25, full: '5.00\u00a0GB of 20.0\u00a0GB (25\u00a0%)' });
    expect(tape?.words).toContain('after 2\u00a0d, or when it is full');
    expect(flows?.share).toBe(0.5);
    expect(flows?.full).toContain('15\u00a0d old, of 30 days: 1,000 records, 2.00\u00a0MB');
    expect(recordings?.share).toBeCloseTo(0.1);
    expect(recordings?.full).toContain('2 recordings; 1 of them held on the tape: 1.00\u00a0GB of their own');
  });

  it('does not call nothing what it does not know yet', () => {
    const [, flows, recordings] = kept(HOLDINGS, undefined, undefined, now);
    expect([flows?.full, recordings?.full]).toEqual(['not known yet', 'not known yet']);
  });

  it('knows nothing of flows where none are kept', () => {
    const titles = kept({ ...HOLDINGS, engine: 'none', tape_hours_max: null }, undefined, [], now);
    expect(titles.map(({ title }) => title.split(':')[0])).toEqual(['Tape', 'Recordings']);
    expect(titles[0]?.words).toContain('goes when it is full');
    expect(kept(HOLDINGS, { flows: 0, octets_on_disk: 0 }, [], now)[1]?.full).toBe('none yet');
  });
});

it('bars grow with days, and the longest is whole', () => {
  const shares = resolutions(HOLDINGS).map(({ share }) => share);
  expect(shares[3]).toBe(1);
  // ln(31) / ln(731)
  expect(shares[0]).toBeCloseTo(0.5207, 3);
});
