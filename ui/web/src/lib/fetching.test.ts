import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Failed, failure, fetchJson, isLive, path, sentence } from './fetching';

describe('a path', () => {
  it('has what is said, and nothing else', () => {
    expect(
      path('/api/v1/top/sites', { last: '15m', by: null, limit: 5, filter: '', previous: undefined }),
    ).toBe('/api/v1/top/sites?last=15m&limit=5');
    expect(path('/api/v1/flows', { filter: 'app "a&b"' })).toBe('/api/v1/flows?filter=app+%22a%26b%22');
  });
});

it('an answer of the last second is shared where the question is live, of groups or over time', () => {
  expect(isLive('/api/v1/top/clients,servers?last=15m&filter=tcp')).toBe(true);
  expect(isLive('/api/v1/series?last=15m')).toBe(true);
  for (const other of [
    '/api/v1/series?last=15m&as_of=2026-03-02T09:00:00Z',
    '/api/v1/series?from=2026-03-02T09:00:00Z',
    '/api/v1/series?last=1m&recording=friday',
    '/api/v1/flows?last=15m',
    '/api/v1/compare/sites?last=15m',
    '/api/v1/series/picture.svg?last=15m',
    '/api/v1/series',
  ]) {
    expect(isLive(other), other).toBe(false);
  }
});

describe('a failure', () => {
  it('says what is wrong and where', () => {
    const body = { error: 'column 5: a name is missing', parameter: 'filter', column: 5 };
    expect(failure(400, body)).toMatchObject({
      kind: 'refused',
      error: 'Column 5: a name is missing.',
      column: 5,
    });
  });
  it('passes or does not', () => {
    const body = { error: 'x' };
    expect([400, 404, 429, 500, 503].map((status) => failure(status, body).kind)).toEqual([
      'refused',
      'missing',
      'later',
      'failed',
      'later',
    ]);
  });
  it('without our body comes from something else', () => {
    expect(failure(502, undefined).kind).toBe('unreachable');
    expect(failure(418, null)).toEqual({
      kind: 'failed',
      error: 'The server answered with status 418 and no reason.',
    });
  });
  it('has nothing at work unseen in it', () => {
    const body = { error: 'no ‘\u202eexe’', detail: `Code: 62.\n${'x'.repeat(9000)}` };
    const { error, detail } = failure(400, body);
    expect(error).toBe('No ‘⟨202E⟩exe’.');
    expect(detail?.slice(0, 11)).toBe('Code: 62. x');
    expect(detail).toHaveLength(4000);
  });
  it('is a sentence', () => {
    expect(sentence('the store is down')).toBe('The store is down.');
    expect(sentence('Wait…')).toBe('Wait…');
  });
});

describe('a request', () => {
  /** What comes of it, and whether a server was reached, where one answers so. */
  async function outcome(answer: RequestListener, signal?: AbortSignal) {
    const server = createServer(answer).listen(0, '127.0.0.1');
    await new Promise((done) => server.once('listening', done));
    const { port } = server.address() as AddressInfo;
    const reached: boolean[] = [];
    try {
      const init = signal ? { signal } : {};
      const value = await fetchJson(`http://127.0.0.1:${String(port)}/`, init, (is) => reached.push(is));
      return { value, reached };
    } catch (error) {
      if (!(error instanceof Failed)) return { kind: (error as Error).name, reached };
      const { kind, waitS } = error.failure;
      return { kind, reached, ...(waitS && { waitS }) };
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it('has an answer, or none to speak of', async () => {
    expect(await outcome((_, it) => it.end('{"a":1}'))).toEqual({ value: { a: 1 }, reached: [true] });
    expect(await outcome((_, it) => it.writeHead(204).end())).toEqual({ value: undefined, reached: [true] });
  });

  it('may break off in the middle of its answer', async () => {
    const breaks: RequestListener = (_, it) => {
      it.writeHead(200, { 'content-length': '100' });
      it.write('{"a":', () => it.destroy());
    };
    expect(await outcome(breaks)).toEqual({ kind: 'unreachable', reached: [false] });
  });

  it('may be answered by something else', async () => {
    const signIn: RequestListener = (_, it) => it.end('<!doctype html><title>Sign in</title>');
    expect(await outcome(signIn)).toEqual({ kind: 'unreachable', reached: [false] });
  });

  it('says who may not, and how long somebody waits', async () => {
    const refuses = (status: number, headers = {}): RequestListener => {
      return (_, it) => it.writeHead(status, headers).end('{"error":"no"}');
    };
    expect(await outcome(refuses(401))).toEqual({ kind: 'nobody', reached: [true] });
    expect(await outcome(refuses(403))).toEqual({ kind: 'forbidden', reached: [true] });
    expect(await outcome(refuses(429, { 'retry-after': '41' }))).toEqual({
      ...{ kind: 'later', reached: [true] },
      waitS: 41,
    });
  });

  it('is given up after a time, which is not what somebody does who wants it no more', async () => {
    const never: RequestListener = () => undefined;
    expect(await outcome(never, AbortSignal.timeout(50))).toEqual({ kind: 'unreachable', reached: [false] });
    expect(await outcome(never, AbortSignal.abort())).toEqual({ kind: 'AbortError', reached: [] });
  });
});
