/** The audit log in words, and as a file. No DOM. */

import type { Act, Entry } from './api/schema';
import type { Cell } from './download';

export const ACTS: Record<Act, string> = {
  signed_on: 'signed in',
  sign_on_failed: 'sign-in failed',
  signed_off: 'signed out',
  welcomed: 'made the first account',
  password_changed: 'changed their password',
  sessions_ended: 'ended sessions',
  token_made: 'made a token',
  token_revoked: 'revoked a token',
  account_made: 'made an account',
  account_changed: 'changed an account',
  password_reset: 'gave a new password',
  outgoing_changed: 'sent again, dropped, or tried mail',
  mail_changed: 'wanted mail, or none',
  refused: 'was refused',
  rules_changed: 'changed the rules',
  reclassified: 'named the past anew',
  capture_imported: 'imported a capture',
  recording_cut: 'cut a recording',
  recording_stopped: 'stopped a recording',
  recording_kept: 'kept a recording',
  note_written: 'wrote a note',
  ticket_made: 'reported a problem',
  ticket_worked: 'worked on a ticket',
  recording_deleted: 'deleted a recording',
  recording_exported: 'took a recording away',
  recording_imported: 'imported a recording',
  replayed: 'replayed',
  log_shortened: 'the oldest entries went',
};

/** The act of this name, if there is one. */
export const actOf = (name: string | undefined): Act | undefined =>
  (Object.keys(ACTS) as Act[]).find((it) => it === name);

/** `role engineer, scope site berlin`: what else an entry says; what is empty is left out, lists and records are as they are. */
export function details(detail: unknown): string {
  if (typeof detail !== 'object' || detail === null) return '';
  const shown = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return Object.entries(detail)
    .filter(([, value]) => value !== '' && value !== null)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${shown(value)}`)
    .join(', ');
}

/** A row for each entry, with what the server says and not with our words. */
export function auditRows(entries: Entry[]): Cell[][] {
  const cells = ({ number, at, who, token, address, what, object, detail }: Entry): Cell[] => [
    ...[number, at, who, token ?? '', address ?? '', what, object],
    JSON.stringify(detail),
  ];
  return [['number', 'at', 'who', 'token', 'address', 'what', 'object', 'detail'], ...entries.map(cells)];
}
