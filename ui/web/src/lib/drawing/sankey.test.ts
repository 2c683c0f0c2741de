import { describe, expect, it } from 'vitest';
import { links } from './sankey';

const row = (name: string, octets: number) => ({ name, octets, packets: 1, flows: 1, clients: 1 });

describe('bands', () => {
  it('join clients and server ports', () => {
    const rows = [
      row('10.0.0.1 → 10.0.0.9:443/tcp', 5),
      row('10.0.0.2 → [2001:db8::1]:53/udp', 7),
      row('10.0.0.1 → 10.0.0.9:443/tcp', 3),
      row('no conversation', 100),
    ];
    expect(links(rows, (it) => it.octets)).toEqual([
      { source: '10.0.0.1', target: '10.0.0.9 443/tcp', value: 8 },
      { source: '10.0.0.2', target: '2001:db8::1 53/udp', value: 7 },
    ]);
  });
});
