import { expect, it } from 'vitest';
import type { Entry } from './api/schema';
import { actOf, auditRows, details } from './audit';
import { csv } from './download';

it('says what else an entry says', () => {
  expect(details({ role: 'engineer', scope: '', sessions: 3, what: ['a', 'b'] })).toBe(
    'role engineer, sessions 3, what ["a","b"]',
  );
  expect(details({ left_out_before: 12 })).toBe('left out before 12');
  expect(details({})).toBe('');
});

it('knows the kinds', () => {
  expect([actOf('refused'), actOf('toString'), actOf(undefined)]).toEqual(['refused', undefined, undefined]);
});

it('is a file in which no name is a formula', () => {
  const entry = {
    ...{ number: 7, at: '2026-03-01T10:00:00Z', who: '=cmd', what: 'refused', object: 'GET /a,b' },
    detail: { why: 'x' },
  } as unknown as Entry;
  expect(csv(auditRows([entry]))).toBe(
    'number,at,who,token,address,what,object,detail\r\n' +
      `7,2026-03-01T10:00:00Z,'=cmd,,,refused,"GET /a,b","{""why"":""x""}"\r\n`,
  );
});
