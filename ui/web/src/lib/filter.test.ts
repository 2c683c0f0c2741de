import { describe, expect, it } from 'vitest';
import type { Completion } from './api/schema';
import { and, both, clause, conversation, isAddress, offers, put, quoted, wanted } from './filter';

describe('filters', () => {
  it('take any name in quotes', () => {
    expect(quoted('orders')).toBe('"orders"');
    expect(quoted('a "b" \\ c')).toBe('"a \\"b\\" \\\\ c"');
  });

  it('are narrowed', () => {
    expect(and('', 'tcp')).toBe('tcp');
    expect(and('tcp', 'app "x"')).toBe('tcp and app "x"');
    expect(and('tcp or udp', 'app "x"')).toBe('(tcp or udp) and app "x"');
    expect(and('(tcp)or\tudp', 'app "x"')).toBe('((tcp)or\tudp) and app "x"');
    expect(and('tcp and app "x"', 'app "x"')).toBe('tcp and app "x"');
  });

  it('name a group', () => {
    expect(clause('applications', 'file shares')).toBe('app "file shares"');
    expect(clause('clients', '2001:db8::1')).toBe('client ip 2001:db8::1');
    expect(clause('clients', 'others')).toBeUndefined();
    expect(clause('ports', '445/tcp')).toBe('server port 445 and proto tcp');
    expect(clause('conversations', '10.1.1.75 → 172.16.9.14:3480/udp')).toBe(
      'client ip 10.1.1.75 and server ip 172.16.9.14 and server port 3480 and proto udp',
    );
  });

  it('read conversations', () => {
    expect(conversation('2001:db8::1 → [2001:db8::2]:443/tcp')).toEqual({
      client: '2001:db8::1',
      server: '2001:db8::2',
      port: '443',
      protocol: 'tcp',
    });
    expect(conversation('10.0.0.1 → 10.0.0.2/icmp')).toMatchObject({ server: '10.0.0.2', port: '' });
    expect(conversation('others')).toBeUndefined();
  });

  it('know an address', () => {
    expect(['10.0.0.1', '::1', 'fe80::1'].every(isAddress)).toBe(true);
    expect(['orders', 'a:b!', '1'].some(isAddress)).toBe(false);
  });
});

describe('completion', () => {
  const completions: Completion[] = [
    { text: 'app', start: 0, what: 'keyword' },
    { text: 'or', start: 4, what: { value: 'application' } },
  ];

  it('offers names that are known, before words', () => {
    const found = offers(completions, { application: ['erp', 'orders', 'web "store"'] });
    expect(found.map((it) => it.text)).toEqual(['"orders"', '"web \\"store\\""', 'app']);
    expect(wanted(completions)).toEqual(['application']);
  });

  it('goes where the word is, and the cursor behind it', () => {
    const [first] = offers(completions, { application: ['orders'] });
    if (!first) throw new Error('nothing is offered');
    expect(put('app or', 6, first)).toEqual({ text: 'app "orders" ', cursor: 13 });
    expect(put('app or and tcp', 6, first)).toEqual({ text: 'app "orders" and tcp', cursor: 12 });
    // Characters, not UTF-16 units.
    expect(put('🙂 or', 4, { ...first, start: 2 })).toEqual({ text: '🙂 "orders" ', cursor: 11 });
  });
});

it('two filters are both asked, whatever stands in them', () => {
  expect(both('port 80 or port 443', 'app "a"')).toBe('(port 80 or port 443) and (app "a")');
  expect(both(' ', 'app "a"')).toBe('app "a"');
  expect(both('tcp', '')).toBe('tcp');
});
