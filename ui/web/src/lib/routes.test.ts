import { describe, expect, it } from 'vitest';
import { match, pathOf } from './routes';

describe('routes', () => {
  it('fit or do not', () => {
    expect(match('/', '/')).toEqual({});
    expect(match('/explore', '/explore')).toEqual({});
    expect(match('/explore', '/explore/more')).toBeUndefined();
    expect(match('/hosts/:address', '/hosts/2001:db8::1')).toEqual({ address: '2001:db8::1' });
    expect(match('/hosts/:address', '/hosts/')).toBeUndefined();
    expect(match('/hosts/:address', '/hosts/%E0%A4%A')).toBeUndefined();
  });

  it('lead any name there and back', () => {
    for (const name of ['orders', 'a/b', '../..', '100%', 'a?b#c', '<b>', 'Büro', '\u202eexe']) {
      expect(match('/applications/:name', pathOf('applications', name))).toEqual({ name });
    }
  });
});
