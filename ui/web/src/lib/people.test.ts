import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Permission, Role } from './api/schema';
import {
  MAY,
  may,
  mayExport,
  refusalOf,
  ROLES,
  rolesWithin,
  signOnElsewhere,
  whoCould,
  wrongPassword,
} from './people';

const ALL: Permission[] = ['ask', 'replay', 'record', 'share', 'import', 'rule', 'operate', 'administer'];

it('what is about the whole network is for those who see all of it', () => {
  const whole = { permissions: ALL, scope: '' };
  const part = { permissions: ALL, scope: 'site berlin' };
  expect(ALL.filter((it) => may(whole, it))).toEqual(ALL);
  expect(ALL.filter((it) => may(part, it))).toEqual(['ask', 'replay', 'record', 'share']);
  expect([mayExport(whole), mayExport(part)]).toEqual([true, false]);
  expect(may({ permissions: ['ask'], scope: '' }, 'rule', 'ask')).toBe(true);
});

it('a token may do as much as its owner, or less', () => {
  expect(rolesWithin('end_user')).toEqual(['end_user']);
  expect(rolesWithin('manager')).toEqual(['end_user', 'manager']);
  expect(rolesWithin('help_desk')).toEqual(['end_user', 'application_owner', 'manager', 'help_desk']);
  expect(rolesWithin('engineer').at(-1)).toBe('engineer');
  expect(rolesWithin('engineer')).not.toContain('admin');
  expect(rolesWithin('admin').sort()).toEqual(Object.keys(ROLES).sort());
});

it('who could, in a sentence', () => {
  const desk = { role: 'help_desk' as const, permissions: ['ask', 'replay', 'record'] as Permission[] };
  expect(whoCould(desk, 'operate')).toBe('Engineers and admins may open it.');
  expect(whoCould(desk, 'administer')).toBe('Admins may open it.');
  expect(whoCould({ role: 'engineer', permissions: ALL.slice(0, 7) }, 'operate')).toMatch(/whole network/);
});

/** The table of `docs/security.md`: its columns, and what its rows are about. */
const COLUMNS: Role[][] = [
  ['end_user'],
  ['manager'],
  ['help_desk', 'application_owner'],
  ['engineer'],
  ['admin'],
];
const ROWS: [string, Permission[]][] = [
  ['ask about flows', ['ask']],
  ['see and replay recordings', ['replay']],
  ['cut recordings', ['record']],
  ['take recordings away', ['share', 'import']],
  ['name things', ['rule', 'operate']],
  ['accounts', ['administer']],
];

it.each(ROWS)('roles may what the docs say: %s', (row, permissions) => {
  const docs = readFileSync(new URL('../../../../docs/security.md', import.meta.url), 'utf8');
  const line = docs.split('\n').find((it) => it.startsWith(`| ${row}`)) ?? '';
  const cells = line.split('|').slice(2, -1);
  const said = COLUMNS.flatMap((roles, at) => (cells[at]?.trim() === '✓' ? roles : []));
  for (const permission of permissions) {
    const able = (Object.keys(MAY) as Role[]).filter((role) => MAY[role].includes(permission));
    expect(able.sort()).toEqual(said.sort());
  }
});

it('a password is long, and the same twice', () => {
  expect(wrongPassword('elf letters', 'elf letters')).toMatch(/12/);
  expect(wrongPassword('twelve letters', 'twelve lettres')).toMatch(/differ/);
  expect(wrongPassword('twelve letters', 'twelve letters')).toBe('');
});

it('what stands in an address is a word with a sentence, or nothing of it is shown', () => {
  expect(refusalOf(undefined)).toBe('');
  expect(refusalOf('no_group')).toMatch(/group/);
  for (const word of ['', '<b>call 0900</b>', 'constructor', '__proto__']) {
    expect(refusalOf(word)).toBe('It did not work.');
  }
  expect(signOnElsewhere('/explore?last=1h&filter=a')).toBe(
    '/api/v1/sign-on/openid?to=%2Fexplore%3Flast%3D1h%26filter%3Da',
  );
});
