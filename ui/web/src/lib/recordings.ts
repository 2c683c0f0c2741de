/** Recordings in words, in order, and as files. No DOM. */

import type { Recorded, Standing } from './api/schema';
import { harmless } from './names';

/** Where a recording is: in a word or three, and what that means. */
export const STANDINGS: Record<Standing, { word: string; means: string }> = {
  recording: { word: 'goes on', means: 'It goes on until somebody stops it, or until its end.' },
  referenced: {
    word: 'on the tape',
    means:
      'The tape and the live tables hold it, which costs nothing. Before they let go of it, it gets its own by itself.',
  },
  own: { word: 'kept', means: 'It has a tape and tables of its own: nothing of it expires.' },
  making: { word: 'being taken in', means: 'Its file is being read.' },
  deleting: { word: 'being removed', means: 'It goes as soon as nothing reads it any more.' },
};

/** Whether it still becomes something else. */
export const isMoving = ({ state }: Pick<Recorded, 'state'>): boolean =>
  state === 'recording' || state === 'making' || state === 'deleting';

/** How long it is so far, in milliseconds: the end of one that goes on lies ahead. */
export function lengthMs({ from, to }: Pick<Recorded, 'from' | 'to'>, now: number): number {
  return Math.max(0, Math.min(Date.parse(to), now) - Date.parse(from));
}

/** As far as it goes by now: what is drawn of one that goes on does not reach into the time to come. */
export function asFar(recorded: Recorded, now: number): Recorded {
  if (recorded.state !== 'recording') return recorded;
  const to = new Date(Math.max(Date.parse(recorded.from) + 1000, Math.min(Date.parse(recorded.to), now)));
  return { ...recorded, to: to.toISOString() };
}

export const ORDERS = {
  newest: 'newest first',
  name: 'by name',
  longest: 'longest first',
  flows: 'most flows first',
  size: 'largest first',
} as const;
export type Order = keyof typeof ORDERS;

/** Those whose name, filter or maker has the text, in an order. */
export function listed(all: Recorded[], find: string, order: Order, now: number): Recorded[] {
  const wanted = find.trim().toLowerCase();
  const found = all.filter(({ name, filter, cut_by }) =>
    [name, filter, cut_by].some((text) => text.toLowerCase().includes(wanted)),
  );
  const by: Record<Order, (a: Recorded, b: Recorded) => number> = {
    newest: (a, b) => Date.parse(b.from) - Date.parse(a.from),
    name: (a, b) => a.name.localeCompare(b.name),
    longest: (a, b) => lengthMs(b, now) - lengthMs(a, now),
    flows: (a, b) => (b.counts?.flows ?? 0) - (a.counts?.flows ?? 0),
    size: (a, b) => (b.counts?.octets ?? 0) - (a.counts?.octets ?? 0),
  };
  return found.sort((a, b) => by[order](a, b) || b.number - a.number);
}

/** What a file is called that a recording leaves as: letters, digits, and little else, whatever its name holds. */
export function fileName(name: string, kind: FileKind, anonymized: boolean): string {
  const stem = name
    .replace(/[^\p{L}\p{N}._ -]+/gu, '_')
    .replace(/^[. ]+/, '')
    .slice(0, 100);
  return `${stem || 'recording'}${anonymized ? ' (other addresses)' : ''}.${kind}`;
}

export type FileKind = 'reel' | 'pcapng';

/** Octets at the beginning of a file that tell what it is. */
export const HEAD_OCTETS = 14;

/** Whether a file is a recording: an archive that begins with its manifest. See `docs/recordings.md`. */
export const isReel = (head: string): boolean => head === 'manifest.json\0';

/** The name that a capture's recording gets, which has none in it: that of its file. */
export function nameOfCapture(file: string): string {
  const stem = harmless(file.replace(/\.(pcapng|pcap|cap)$/i, '')).trim();
  return [...stem].slice(0, 200).join('') || 'capture';
}

/** Why a file was refused, without the place where the server had put it. */
export const whyRefused = (error: string): string => error.replace(/^\S*\.upload: /, '');

/** What a file that is to be shared holds, in sentences. */
export function holds(kind: FileKind, anonymize: boolean): { with: string[]; without: string[] } {
  const reel = kind === 'reel';
  return {
    with: [
      anonymize ? 'every datagram, with other addresses in it' : 'every datagram as it arrived',
      ...(reel ? ['the flows, as this installation understood them'] : []),
      ...(reel ? ['names of applications, sites, exporters and interfaces'] : []),
      ...(reel && !anonymize ? ['the notes, the filter, and who cut it'] : []),
      ...(anonymize ? ['ports, sizes and times: who knows some of the traffic may find it by these'] : []),
    ],
    without: [
      ...(anonymize
        ? [
            'real addresses: others stand for them, the same in every file of this installation, and subnets stay subnets',
            'MAC addresses and texts in records',
          ]
        : []),
      ...(anonymize && reel ? ['the notes, the filter, and who cut it'] : []),
      ...(reel ? [] : ['flows, names and notes']),
    ],
  };
}
