import { describe, expect, it } from 'vitest';
import { incomplete, missingWords, shareOf } from './lateness';

const lateness = {
  octets: 1000,
  ages: [
    { age_s: 0, share: 0.9 },
    { age_s: 10, share: 0.5 },
    { age_s: 30, share: 0.1 },
    { age_s: 60, share: 0.01 },
    { age_s: 120, share: 0 },
  ],
};
const known = Date.parse('2026-03-02T09:00:00Z');

describe('what is still to be reported', () => {
  it('lies between the ages that are known', () => {
    expect(shareOf(lateness, 0)).toBe(0.9);
    expect(shareOf(lateness, 5)).toBeCloseTo(0.7, 12);
    expect(shareOf(lateness, 20)).toBeCloseTo(0.3, 12);
    expect(shareOf(lateness, 120)).toBe(0);
    expect(shareOf(lateness, 1e6)).toBe(0);
    // A clock that goes ahead of the server's.
    expect(shareOf(lateness, -3)).toBe(0.9);
    expect(shareOf({ octets: 0, ages: [] }, 5)).toBe(0);
  });

  it('is shaded from the youngest age of which less than 2 % is missing', () => {
    expect(incomplete(lateness, known)?.from).toBe(known - 60_000);
    expect(incomplete({ octets: 1, ages: lateness.ages.slice(0, 3) }, known)?.from).toBe(known - 30_000);
  });

  it('is nothing where all is there at once, or nothing is known', () => {
    expect(incomplete({ octets: 1, ages: [{ age_s: 0, share: 0.001 }] }, known)).toBeUndefined();
    expect(incomplete({ octets: 0, ages: [] }, known)).toBeUndefined();
  });

  it('is said of a time, in per cent', () => {
    const of = incomplete(lateness, known);
    expect(missingWords(of, known - 20_000)).toBe('records still arrive: 30\u00a0% missing');
    expect(missingWords(of, known - 60_000)).toBeUndefined();
    expect(missingWords(undefined, known)).toBeUndefined();
  });
});
