/** Roles and what they may do, in words. The server decides (`docs/security.md`); pages leave out what it would refuse. No DOM. */

import type { Me, Permission, Role } from './api/schema';

export const ROLES: Record<Role, string> = {
  end_user: 'end user',
  help_desk: 'help desk',
  engineer: 'engineer',
  application_owner: 'application owner',
  manager: 'manager',
  admin: 'admin',
};

/** As the table of `docs/security.md` says. */
export const MAY: Record<Role, readonly Permission[]> = {
  end_user: ['ask', 'report'],
  manager: ['ask', 'report', 'replay'],
  application_owner: ['ask', 'report', 'replay', 'record'],
  help_desk: ['ask', 'report', 'replay', 'record', 'work'],
  engineer: ['ask', 'report', 'replay', 'record', 'work', 'share', 'import', 'rule', 'operate'],
  admin: ['ask', 'report', 'replay', 'record', 'work', 'share', 'import', 'rule', 'operate', 'administer'],
};

/** What tells of the whole network, or changes it for all: nothing for whoever sees a part of it. */
const WHOLE: readonly Permission[] = ['import', 'rule', 'operate', 'administer'];

type Known = Pick<Me, 'permissions' | 'scope'>;

/** Whether somebody may; with any of several. */
export function may(me: Known, ...wanted: Permission[]): boolean {
  return wanted.some((it) => me.permissions.includes(it) && (!WHOLE.includes(it) || me.scope === ''));
}

/** Whether somebody may take recordings away as files: all datagrams of the time are in them. */
export function mayExport(me: Known): boolean {
  return me.permissions.includes('share') && me.scope === '';
}

/** The roles that may do no more than this one, which comes last. */
export function rolesWithin(role: Role): Role[] {
  const roles = Object.keys(ROLES) as Role[];
  const within = roles.filter((it) => it !== role && MAY[it].every((one) => MAY[role].includes(one)));
  return [...within, role];
}

/** Why somebody may not, and who could, as sentences. */
export function whoCould(me: Pick<Me, 'role' | 'permissions'>, ...wanted: Permission[]): string {
  if (wanted.some((it) => me.permissions.includes(it) || MAY[me.role].includes(it)))
    return 'It is about the whole network, and you see a part of it. Whoever sees all of it may open it.';
  const able = (Object.keys(MAY) as Role[]).filter((role) => wanted.some((it) => MAY[role].includes(it)));
  return `${listed(able.map(plural))} may open it.`;
}

const plural = (role: Role): string => (role === 'help_desk' ? 'the help desk' : `${ROLES[role]}s`);

function listed(words: string[]): string {
  const last = words.at(-1) ?? '';
  const all = words.length > 1 ? `${words.slice(0, -1).join(', ')} and ${last}` : last;
  return all.charAt(0).toUpperCase() + all.slice(1);
}

/** Why somebody who came back from a provider was not let in: the server's words for it, in sentences. */
const REFUSALS: Record<string, string> = {
  provider_down: 'It does not answer now. Try again later, or sign in with a password if you have one here.',
  stale: 'That took too long, or was begun in another window. Try again.',
  denied: 'It did not let you in.',
  not_valid: 'What it said could not be trusted. An admin finds more in the server’s log.',
  no_group: 'You are in no group that may come in here. An admin can say which one it takes.',
  name_taken: 'Somebody else has an account of your name here. An admin can help.',
  no_name: 'It gives no name that an account can have here. An admin can help.',
  disabled: 'Your account here is disabled. An admin can help.',
  slowed: 'Too many tries from your network. Try again in a minute.',
};

/** The sentence for a word in an address. Whatever else stands there is not shown. */
export function refusalOf(word: string | undefined): string {
  if (word === undefined) return '';
  return (Object.hasOwn(REFUSALS, word) ? REFUSALS[word] : undefined) ?? 'It did not work.';
}

/** The address that signs on elsewhere, and comes back to this page. */
export const signOnElsewhere = (page: string): string =>
  `/api/v1/sign-on/openid?to=${encodeURIComponent(page)}`;

/** Characters that a new password has at least; the server asks for the same. */
export const PASSWORD_MIN = 12;

/** What is wrong with a new password that was written twice; `''` if nothing is, as far as can be told here. */
export function wrongPassword(password: string, again: string): string {
  if ([...password].length < PASSWORD_MIN)
    return `A password has at least ${String(PASSWORD_MIN)} characters.`;
  return password === again ? '' : 'The two passwords differ.';
}
