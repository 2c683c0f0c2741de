import { describe, expect, it } from 'vitest';
import { asked, own, read, recordingAt, seconds, write, written } from './address';

const of = (query: string) => read(new URLSearchParams(query));

describe('lengths', () => {
  it.each([
    ['90s', 90],
    ['15m', 900],
    ['2h', 7200],
    ['7d', 604_800],
  ])('%s', (text, expected) => {
    expect(seconds(text)).toBe(expected);
  });
  it('what is no length is none', () => {
    for (const text of ['', 'm', '0m', '-5m', '1.5h', '5 fortnights', '99999999999s']) {
      expect(seconds(text)).toBeUndefined();
    }
  });
  it('are written shortly', () => {
    expect([90, 900, 7200, 86_400, 0.2].map(written)).toEqual(['90s', '15m', '2h', '1d', '1s']);
  });
});

describe('an address', () => {
  it('says nothing of what is as always', () => {
    expect(of('').moment).toEqual({ kind: 'live', last: '15m' });
    expect(write('/', of(''))).toBe('/');
    expect(write('/', of('last=15m&known=final&filter='))).toBe('/');
  });

  it.each([
    '/?last=2h',
    '/?as_of=2026-03-01T10:42:00.000Z',
    '/?last=5m&as_of=2026-03-01T10:42:00.000Z&known=then',
    '/?from=2026-03-01T10:00:00.000Z&to=2026-03-01T11:00:00.000Z',
    '/?recording=outage&filter=app+%22orders%22',
    '/?recording=a%26b&last=5m&as_of=2026-03-01T10:42:00.000Z',
  ])('%s is itself again', (address) => {
    const [path = '', query = ''] = address.split('?');
    expect(write(path, of(query))).toBe(address);
  });

  it('keeps a page its own parameters and drops empty ones', () => {
    const query = new URLSearchParams('group=sites&last=2h&limit=');
    expect(own(query)).toEqual([
      ['group', 'sites'],
      ['limit', ''],
    ]);
    expect(write('/explore', read(query), own(query))).toBe('/explore?group=sites&last=2h');
  });

  it('of a recording is about it', () => {
    expect(recordingAt('/recordings/out%20%26%20about')).toBe('out & about');
    for (const path of ['/', '/recordings', '/recordings/', '/recordings/a/b']) {
      expect(recordingAt(path)).toBeUndefined();
    }
    const shared = read(
      new URLSearchParams('recording=b&last=5m&as_of=2026-03-01T10:42:00Z'),
      '/recordings/a',
    );
    expect(shared.recording).toBe('a');
    expect(write('/recordings/a', shared)).toBe('/recordings/a?last=5m&as_of=2026-03-01T10:42:00.000Z');
    expect(write('/explore', { ...shared, moment: { kind: 'all' } })).toBe('/explore?recording=a');
  });

  it('that makes no sense is live', () => {
    for (const query of [
      'last=soon',
      'from=1&to=yesterday',
      'as_of=noon',
      'from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z',
    ]) {
      expect(of(query).moment).toEqual({ kind: 'live', last: '15m' });
    }
  });
});

describe('what is asked', () => {
  it('live', () => {
    expect(asked(of('last=2h&filter=tcp'))).toEqual({ last: '2h', filter: 'tcp' });
  });
  it('paused, as it looked then', () => {
    expect(asked(of('as_of=2026-03-01T10:42:00Z&known=then'))).toEqual({
      last: '15m',
      as_of: '2026-03-01T10:42:00.000Z',
      known_at: 'as_of',
    });
  });
  it('a range, as it looked at its end', () => {
    expect(asked(of('from=2026-03-01T10:00:00Z&to=2026-03-01T11:00:00Z&known=then'))).toEqual({
      from: '2026-03-01T10:00:00.000Z',
      to: '2026-03-01T11:00:00.000Z',
      known_at: '2026-03-01T11:00:00.000Z',
    });
  });
  it('all of a recording, or a position in it', () => {
    expect(asked(of('recording=outage'))).toEqual({ recording: 'outage' });
    const at = { position: '2026-03-01T10:42:00.000Z', last: '1m' };
    expect(asked(of('recording=outage'), at)).toEqual({
      recording: 'outage',
      last: '1m',
      as_of: at.position,
    });
  });
});
