import { describe, expect, it } from 'vitest';
import { failure, isLive, path, sentence } from './fetching';

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
  it('is a sentence', () => {
    expect(sentence('the store is down')).toBe('The store is down.');
    expect(sentence('Wait…')).toBe('Wait…');
  });
});
