import { describe, expect, it } from 'vitest';
import type { Exporter, ExporterHealth, Weight } from './api/schema';
import {
  clockWords,
  heard,
  lossUnit,
  lostShare,
  samplingWords,
  stampWords,
  troubles,
  worstFirst,
} from './exporters';

const now = Date.parse('2026-03-02T09:30:00Z');
const ago = (s: number) => new Date(now - s * 1000).toISOString();
const exporter = (changes: Partial<ExporterHealth>): ExporterHealth => ({
  ...{
    feed: 0,
    address: '10.0.0.1',
    name: 'core',
    protocol: 'IPFIX',
    domain: 0,
    first_seen: ago(3600),
    last_seen: ago(1),
  },
  ...{
    datagrams: 100,
    records: 1000,
    options_records: 0,
    problems: {},
    templates: [],
    waiting_for_template: 0,
  },
  ...{
    sequence: 'counting',
    sequence_lost: 0,
    sequence_reordered: 0,
    duplicates: 0,
    reboots: 0,
    sampling_intervals: [],
  },
  ...{
    clock_offset_ms: 0,
    time_kinds: ['ms'],
    active_timeout_s: 60,
    both_directions_share: 1,
    unknown_fields: {},
  },
  ...changes,
});
const plain = (shown: string) => shown.replaceAll('\u00a0', ' ');
const said = (changes: Partial<ExporterHealth>) =>
  troubles([exporter(changes)], now).map((it) => plain(it.text));

describe('exporters', () => {
  it('without trouble say nothing', () => {
    expect(said({})).toEqual([]);
  });
  it('are silent after three of their active timeouts', () => {
    expect(said({ last_seen: ago(170) })).toEqual([]);
    expect(said({ last_seen: ago(190) })).toEqual(['silent, last heard 3 min ago']);
    expect(said({ last_seen: ago(190), active_timeout_s: 300 })).toEqual([]);
  });
  it('lose records, or datagrams with v9', () => {
    expect(said({ sequence_lost: 250 })).toEqual(['20 % lost on the way (250)']);
    expect(lostShare(exporter({ protocol: 'NetFlow v9', sequence_lost: 100 }))).toBe(0.5);
  });
  it('have other trouble', () => {
    expect(said({ clock_offset_ms: -7000, problems: { malformed: 2 }, waiting_for_template: 1 })).toEqual([
      '2 could not be decoded',
      '1 wait for their template',
      'its clock is 7.00 s behind',
    ]);
  });
  it('are heard if one of their domains is', () => {
    const all = [
      exporter({}),
      exporter({ domain: 1, last_seen: ago(999) }),
      exporter({ address: '10.0.0.2', last_seen: ago(999) }),
    ];
    expect(heard(all, now)).toEqual({ all: 2, heard: 1 });
  });
});

describe('the worst', () => {
  const described = (name: string, changes: Partial<ExporterHealth>, ...weights: Weight[]): Exporter => ({
    ...exporter({ name, ...changes }),
    hints: weights.map((weight) => ({ weight, what: '', remedy: '' })),
  });

  it('comes first: warnings, silence, losses, notes, then by name', () => {
    const all = [
      described('leaf-10', {}),
      described('leaf-2', {}),
      described('noted', {}, 'note'),
      described('lossy', { sequence_lost: 5 }),
      described('silent', { last_seen: ago(7200) }),
      described('warned', {}, 'warning', 'note'),
    ];
    const names = worstFirst(all, now).map((it) => it.name);
    expect(names).toEqual(['warned', 'silent', 'lossy', 'noted', 'leaf-2', 'leaf-10']);
  });

  it('says things in words', () => {
    expect(samplingWords([1, 1000])).toBe('every packet, 1 of 1,000');
    expect(samplingWords([])).toBe('not said');
    expect(clockWords(-2460)).toBe('2.46\u00a0s behind');
    expect(clockWords(null)).toBe('not known');
    expect(stampWords(['uptime_ms', 'other_kind'])).toBe('uptime, to the millisecond, other kind');
    expect(lossUnit(exporter({ protocol: 'NetFlow v9' }))).toBe('datagrams');
  });
});
