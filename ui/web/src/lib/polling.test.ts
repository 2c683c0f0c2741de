import { beforeEach, describe, expect, it } from 'vitest';
import { Failed, type Failure } from './fetching';
import { Polling, type Timers } from './polling';

let now = 0;
let waiting: { at: number; run: () => void }[] = [];
const timers: Timers = {
  now: () => now,
  later(ms, run) {
    const entry = { at: now + ms, run };
    waiting.push(entry);
    return () => {
      waiting = waiting.filter((it) => it !== entry);
    };
  },
};

/** Lets promises settle; then the next timer runs, at its time. */
const settle = async () => {
  for (let i = 0; i < 10; i += 1) await Promise.resolve();
};
const next = async () => {
  const entry = waiting.shift();
  if (!entry) throw new Error('nothing waits');
  now = entry.at;
  entry.run();
  await settle();
  return now;
};

function polling() {
  const values: string[] = [];
  const failures: Failure[] = [];
  const told = {
    value: (it: string) => values.push(it),
    failure: (it: Failure) => failures.push(it),
    busy: () => undefined,
  };
  return { values, failures, polling: new Polling<string>(told, timers) };
}

/** A question whose answer comes when the test says so. */
function held() {
  const given: { signal: AbortSignal; give: (value: string) => void }[] = [];
  const ask = (signal: AbortSignal) => new Promise<string>((give) => given.push({ signal, give }));
  return { given, ask };
}

beforeEach(() => {
  now = 0;
  waiting = [];
});

describe('polling', () => {
  it('asks once a second and once at a time', async () => {
    const { values, polling: it } = polling();
    const { given, ask } = held();
    it.ask(ask, 1000);
    await settle();
    expect(given).toHaveLength(1);
    now = 200;
    given[0]?.give('a');
    await settle();
    expect(values).toEqual(['a']);
    expect(await next()).toBe(1000);
    expect(given).toHaveLength(2);
  });

  it('lets a slow store rest as long as it worked', async () => {
    const { polling: it } = polling();
    const { given, ask } = held();
    it.ask(ask, 1000);
    now = 3000;
    given[0]?.give('a');
    await settle();
    expect(await next()).toBe(6000);
  });

  it('drops what was asked before, whenever it comes', async () => {
    const { values, polling: it } = polling();
    const [old, young] = [held(), held()];
    it.ask(old.ask, undefined);
    it.ask(young.ask, undefined);
    expect(old.given[0]?.signal.aborted).toBe(true);
    young.given[0]?.give('new');
    await settle();
    old.given[0]?.give('old');
    await settle();
    expect(values).toEqual(['new']);
    expect(waiting).toEqual([]);
  });

  it('shows frames while somebody drags, the last place at last', async () => {
    const { values, polling: it } = polling();
    const places = [held(), held(), held()];
    for (const { ask } of places) it.ask(ask, undefined, true);
    places[0]?.given[0]?.give('first');
    await settle();
    places[2]?.given[0]?.give('last');
    await settle();
    expect(values).toEqual(['first', 'last']);
    expect(places[1]?.given).toEqual([]);
  });

  it('asks again when it may pass, ever less often, and not when the question is wrong', async () => {
    const { failures, polling: it } = polling();
    it.ask(() => Promise.reject(new Failed({ kind: 'later', error: 'not now' })), 1000);
    await settle();
    const times = [await next(), await next(), await next(), await next(), await next()];
    expect(times).toEqual([1000, 3000, 7000, 15_000, 23_000]);
    it.ask(() => Promise.reject(new Failed({ kind: 'refused', error: 'column 5' })), 1000);
    await settle();
    expect(failures.at(-1)?.error).toBe('column 5');
    expect(waiting).toEqual([]);
  });

  it('asks again after a mistake of the server if it goes on, and not if it was asked once', async () => {
    const { polling: it } = polling();
    const failed = () => Promise.reject(new Failed({ kind: 'failed', error: 'a bug' }));
    it.ask(failed, 1000);
    await settle();
    expect([await next(), await next()]).toEqual([1000, 3000]);
    it.ask(failed, undefined);
    await settle();
    expect(waiting).toEqual([]);
  });

  it('is quiet when it was stopped', async () => {
    const { values, polling: it } = polling();
    const { given, ask } = held();
    it.ask(ask, 1000);
    it.stop();
    given[0]?.give('late');
    await settle();
    expect(values).toEqual([]);
    expect(waiting).toEqual([]);
  });
});
