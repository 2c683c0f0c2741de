import { describe, expect, it } from 'vitest';
import type { Recorded } from './api/schema';
import { asFar, fileName, holds, isReel, lengthMs, listed, nameOfCapture, whyRefused } from './recordings';

const T = Date.parse('2026-03-01T10:00:00Z');
const at = (minutes: number) => new Date(T + minutes * 60_000).toISOString();

function recorded(name: string, from: number, to: number, more: Partial<Recorded> = {}): Recorded {
  const counts = { datagrams: 0, flows: 0, exporters: 0, octets: 0 };
  const rest = { id: name, filter: '', cut_by: 'ann', cut_at: at(to), collector: 'c', anonymized: false };
  return { number: from, name, state: 'own', from: at(from), to: at(to), counts, ...rest, ...more };
}

describe('recordings', () => {
  const all = [
    recorded('beta', 0, 10, { filter: 'app "orders"' }),
    recorded('alpha', 20, 25),
    recorded('gamma', 10, 1500, { state: 'recording' }),
  ];
  const names = (found: Recorded[]) => found.map(({ name }) => name);
  const now = T + 30 * 60_000;

  it('are listed in an order', () => {
    expect(names(listed(all, '', 'newest', now))).toEqual(['alpha', 'gamma', 'beta']);
    expect(names(listed(all, '', 'name', now))).toEqual(['alpha', 'beta', 'gamma']);
    // What lies ahead of one that goes on does not count.
    expect(names(listed(all, '', 'longest', now))).toEqual(['gamma', 'beta', 'alpha']);
  });

  it('are found by name, filter and maker', () => {
    expect(names(listed(all, ' ORDERS', 'name', now))).toEqual(['beta']);
    expect(names(listed(all, 'gam', 'name', now))).toEqual(['gamma']);
    expect(listed(all, 'ann', 'name', now)).toHaveLength(3);
    expect(listed(all, 'nobody', 'name', now)).toEqual([]);
  });

  it('that go on end now', () => {
    const [, , on] = all;
    expect(on && lengthMs(on, now)).toBe(20 * 60_000);
    expect(on && asFar(on, now).to).toBe(at(30));
    expect(asFar(recorded('past', 0, 10), now).to).toBe(at(10));
    // A clock that is behind the server's.
    expect(on && asFar(on, T).to).toBe(new Date(T + 10 * 60_000 + 1000).toISOString());
  });
});

describe('files', () => {
  it('of recordings have harmless names', () => {
    expect(fileName('friday 10:42', 'reel', false)).toBe('friday 10_42.reel');
    expect(fileName('../../etc/passwd', 'pcapng', true)).toBe('_.._etc_passwd (other addresses).pcapng');
    expect(fileName('\u202e\u0000', 'reel', false)).toBe('_.reel');
    expect(fileName('Störung', 'reel', false)).toBe('Störung.reel');
  });

  it('bring their names, or give them', () => {
    expect(isReel('manifest.json\0')).toBe(true);
    expect(isReel('manifest.jsonx')).toBe(false);
    expect(isReel('')).toBe(false);
    expect(nameOfCapture('router 1.pcapng')).toBe('router 1');
    expect(nameOfCapture('.pcap')).toBe('capture');
    expect(nameOfCapture('a\u0007b.pcap')).toBe('a␇b');
    expect(nameOfCapture('x'.repeat(300))).toHaveLength(200);
  });

  it('are refused without telling the server’s folders', () => {
    expect(whyRefused('/var/lib/flowreel/incoming/7-1.upload: not a capture file')).toBe(
      'not a capture file',
    );
    expect(whyRefused('The catalog has it already.')).toBe('The catalog has it already.');
  });

  it('say what they hold', () => {
    expect(holds('reel', false).without).toEqual([]);
    expect(holds('pcapng', false)).toEqual({
      with: ['every datagram as it arrived'],
      without: ['flows, names and notes'],
    });
    expect(holds('reel', true).without).toContain('the notes, the filter, and who cut it');
    expect(holds('reel', true).with).not.toContain('the notes, the filter, and who cut it');
  });
});
