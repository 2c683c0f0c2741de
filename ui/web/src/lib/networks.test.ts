import { describe, expect, it } from 'vitest';
import { entries, isIp, plain, ports, protocolName, subnet } from './networks';

describe('addresses', () => {
  it('are those that the RFCs know', () => {
    for (const address of [
      '0.0.0.0',
      '10.1.2.3',
      '255.255.255.255',
      '::',
      '::1',
      'fd00:20:40::a',
      '2001:DB8::1',
    ])
      expect(isIp(address), address).toBe(true);
    // RFC 4291, section 2.2: an IPv4 address may stand for the last 32 bits.
    expect(isIp('::ffff:192.0.2.1')).toBe(true);
  });

  it('are not names, ports, or what only looks like one', () => {
    for (const text of [
      '',
      '10.1.2',
      '10.1.2.256',
      '010.1.2.3',
      '1.2.3.4.5',
      'orders',
      'a:b',
      '1::2::3',
      ':',
      '[::1]',
    ])
      expect(isIp(text), text).toBe(false);
  });

  it('are subnets of one', () => {
    expect(subnet('10.1.2.3')).toBe('10.1.2.3/32');
    expect(subnet('fd00::1')).toBe('fd00::1/128');
    expect(subnet('10.0.0.0/8')).toBe('10.0.0.0/8');
    expect(subnet('fd00::/64')).toBe('fd00::/64');
    for (const text of ['10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '10.0.0.0/8/8', 'x/8', '10.0.0.0/-1'])
      expect(subnet(text), text).toBeUndefined();
    expect(plain('10.1.2.3/32')).toBe('10.1.2.3');
    expect(plain('fd00::/32')).toBe('fd00::/32');
    expect(plain('fd00::1/128')).toBe('fd00::1');
  });
});

describe('ports', () => {
  it('are one, a range, of one protocol or any', () => {
    expect(ports('443')).toEqual({ first: 443, last: 443, protocol: undefined });
    expect(ports('8000-8099')).toEqual({ first: 8000, last: 8099, protocol: undefined });
    expect(ports('53/UDP')).toEqual({ first: 53, last: 53, protocol: 'udp' });
    expect(ports('1-2/132')).toEqual({ first: 1, last: 2, protocol: '132' });
    for (const text of ['', '70000', '9-8', 'http', '53/dup', '53/256', '-1', '1-', '1/'])
      expect(ports(text), text).toBeUndefined();
  });

  it('call protocols by the names of the IANA', () => {
    expect([6, 17, 47].map(protocolName)).toEqual(['tcp', 'udp', '47']);
  });
});

it('entries are told apart by what people put between them', () => {
  expect(entries(' 443, 80\n\n8000-8099;443 ')).toEqual(['443', '80', '8000-8099']);
  expect(entries('')).toEqual([]);
});
