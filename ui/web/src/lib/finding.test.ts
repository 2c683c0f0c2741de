import { expect, it } from 'vitest';
import { places } from './finding';

const KNOWN = {
  applications: ['orders', 'orders database', 'web shop', 'backorders'],
  exporters: [
    { address: '10.250.0.1', name: 'hq-access' },
    { address: '10.250.0.1', name: 'hq-access' },
    { address: 'fd00::9', name: null },
  ],
};
const names = (text: string) => places(text, KNOWN).map(({ kind, name }) => `${kind} ${name}`);

it('the whole name comes first, then what begins so, then what has it in it', () => {
  expect(names('Orders')).toEqual([
    'application orders',
    'application orders database',
    'application backorders',
  ]);
  expect(names('hq')).toEqual(['exporter hq-access']);
  expect(names('nothing')).toEqual([]);
  expect(names(' ')).toEqual([]);
});

it('an address is a host, and may be an exporter too', () => {
  expect(names('10.1.2.3')).toEqual(['host 10.1.2.3']);
  expect(names('10.250.0.1')).toEqual(['host 10.250.0.1', 'exporter hq-access']);
  expect(places('fd00::9', KNOWN).map(({ path }) => path)).toEqual([
    '/hosts/fd00%3A%3A9',
    '/exporters/fd00%3A%3A9',
  ]);
});
