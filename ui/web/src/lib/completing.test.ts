import { beforeEach, expect, it } from 'vitest';
import { Completing } from './completing';

let now = 0;
let asked: { route: URL; give: (answer: unknown) => void; fail: () => void }[] = [];
const ask = (route: string) =>
  new Promise<unknown>((give, refuse) => {
    const fail = () => {
      refuse(new Error('no server'));
    };
    asked.push({ route: new URL(route, 'http://server'), give, fail });
  });
const settle = async () => {
  for (let i = 0; i < 10; i += 1) await Promise.resolve();
};
/** Answers what waits. */
const answer = async (value: unknown) => {
  asked.shift()?.give(value);
  await settle();
};
const rows = (...names: string[]) => names.map((name) => ({ name }));
const VALUE = [{ text: 'o', start: 4, what: { value: 'application' } }];
const WORD = [{ text: 'and', start: 0, what: 'keyword' }];

beforeEach(() => {
  now = 0;
  asked = [];
});

it('asks for names, and for the same ones again only after a minute', async () => {
  const it = new Completing(ask, () => now);
  const first = it.offers('app o', 5, undefined);
  expect(asked[0]?.route.searchParams.get('cursor')).toBe('5');
  await answer(VALUE);
  expect(asked[0]?.route.pathname).toBe('/api/v1/top/applications');
  expect(asked[0]?.route.searchParams.get('last')).toBe('1d');
  await answer(rows('orders', 'web'));
  expect((await first)?.map(({ text }) => text)).toEqual(['"orders"']);

  now = 59_000;
  const second = it.offers('app o', 5, undefined);
  await answer(VALUE);
  expect(asked).toEqual([]);
  expect(await second).toHaveLength(1);

  now = 61_000;
  const third = it.offers('app o', 5, undefined);
  await answer(VALUE);
  await answer(rows('orders', 'orders of today'));
  expect((await third)?.map(({ shown }) => shown)).toEqual(['orders', 'orders of today']);
});

it('names of a recording are not those of what is live', async () => {
  const it = new Completing(ask, () => now);
  void it.offers('app o', 5, undefined);
  await answer(VALUE);
  await answer(rows('orders'));
  const recorded = it.offers('app o', 5, 'friday');
  await answer(VALUE);
  expect(asked[0]?.route.searchParams.get('recording')).toBe('friday');
  await answer(rows('old orders'));
  expect((await recorded)?.map(({ shown }) => shown)).toEqual(['old orders']);
});

it('an older answer, or none, changes nothing when it comes at last', async () => {
  const it = new Completing(ask, () => now);
  const older = it.offers('a', 1, undefined);
  const newer = it.offers('an', 2, undefined);
  asked[1]?.give(WORD);
  expect(await newer).toHaveLength(1);
  asked[0]?.fail();
  expect(await older).toBeUndefined();
});

it('nothing comes once it is not wanted any more, and nothing without a server', async () => {
  const it = new Completing(ask, () => now);
  const dropped = it.offers('a', 1, undefined);
  it.drop();
  await answer(WORD);
  expect(await dropped).toBeUndefined();
  const alone = it.offers('a', 1, undefined);
  asked[0]?.fail();
  expect(await alone).toEqual([]);
});
