/** The filter language as far as pages write it: quoting, narrowing, and putting a completion in its place. */

import type { Completion, Dimension, Wanted } from './api/schema';

/** Values are offered for these: who knows them is asked for the largest groups of that dimension. */
export const KNOWN_VALUES: Partial<Record<Wanted, Dimension>> = {
  application: 'applications',
  site: 'sites',
  exporter: 'exporters',
  protocol: 'protocols',
  address: 'servers',
};

/** Something that could stand at the cursor. */
export interface Offer {
  /** What is put in. */
  text: string;
  /** How it is shown. */
  shown: string;
  /** What it is: `keyword`, `application` … */
  kind: string;
  /** Characters before the word that it replaces. */
  start: number;
}

/** In quotes, as names may hold anything. */
export function quoted(name: string): string {
  return `"${name.replace(/["\\]/g, (character) => `\\${character}`)}"`;
}

/** Both: the filter that is there, and another. */
export function and(filter: string, clause: string): string {
  const there = filter.trim();
  if (!there) return clause;
  if (there === clause || there.endsWith(` and ${clause}`)) return there;
  return /\bor\b/i.test(there) ? `(${there}) and ${clause}` : `${there} and ${clause}`;
}

/** Both, whatever stands in them: what is asked, rather than what somebody reads. */
export function both(filter: string, clause: string): string {
  const [a, b] = [filter.trim(), clause.trim()];
  return a && b ? `(${a}) and (${b})` : a || b;
}

/** The filter for one group of a dimension; `undefined` where the language has no words for it. */
export function clause(dimension: Dimension, name: string): string | undefined {
  switch (dimension) {
    case 'applications':
      return `app ${quoted(name)}`;
    case 'sites':
      return `site ${quoted(name)}`;
    case 'exporters':
      return `exporter ${quoted(name)}`;
    case 'clients':
      return isAddress(name) ? `client ip ${name}` : undefined;
    case 'servers':
      return isAddress(name) ? `server ip ${name}` : undefined;
    case 'protocols':
      return /^[a-z0-9]+$/.test(name) ? `proto ${name}` : undefined;
    case 'ports': {
      const [, port, protocol] = /^(\d+)\/([a-z0-9]+)$/.exec(name) ?? [];
      return port && protocol ? `server port ${port} and proto ${protocol}` : undefined;
    }
    case 'conversations': {
      const ends = conversation(name);
      if (!ends) return undefined;
      const port = ends.port ? ` and server port ${ends.port}` : '';
      return `client ip ${ends.client} and server ip ${ends.server}${port} and proto ${ends.protocol}`;
    }
    default:
      return undefined;
  }
}

/** The parts of a conversation's name: `10.1.1.75 → 172.16.9.14:3480/udp`. */
export function conversation(
  name: string,
): { client: string; server: string; port: string; protocol: string } | undefined {
  const match = /^(\S+) → (?:\[(\S+)\]|([^\s:]+)|(\S+?))(?::(\d+))?\/([a-z0-9]+)$/.exec(name);
  if (!match) return undefined;
  const [, client = '', bracketed, plain, other, port = '', protocol = ''] = match;
  return { client, server: bracketed ?? plain ?? other ?? '', port, protocol };
}

export function isAddress(name: string): boolean {
  return /^[0-9.]{7,15}$/.test(name) || (name.includes(':') && /^[0-9a-f:.]{2,45}$/i.test(name));
}

/** The text with an offer in place of the word at the cursor, and where the cursor is then. Counted in characters. */
export function put(text: string, cursor: number, offer: Offer): { text: string; cursor: number } {
  const characters = [...text];
  const before = characters.slice(0, offer.start).join('');
  const after = characters.slice(cursor).join('');
  const space = after.startsWith(' ') || offer.text === '(' ? '' : ' ';
  const head = `${before}${offer.text}${space}`;
  return { text: head + after, cursor: [...head].length };
}

/** Offers made of completions, and of the names that are known for the values among them. */
export function offers(
  completions: Completion[],
  known: Partial<Record<Wanted, string[]>>,
  max = 12,
): Offer[] {
  const found: Offer[] = [];
  for (const { text, start, what } of completions) {
    if (what === 'keyword') {
      found.push({ text, shown: text, kind: 'word', start });
      continue;
    }
    const typed = text.replace(/^["']/, '').toLowerCase();
    const names = (known[what.value] ?? []).filter((name) => name.toLowerCase().includes(typed));
    const isBare = what.value === 'address' || what.value === 'protocol';
    for (const name of names) {
      found.push({ text: isBare ? name : quoted(name), shown: name, kind: what.value, start });
    }
  }
  // Values first: who types a name wants one.
  return [...found.filter((it) => it.kind !== 'word'), ...found.filter((it) => it.kind === 'word')].slice(
    0,
    max,
  );
}

/** Which kinds of value are wanted. */
export function wanted(completions: Completion[]): Wanted[] {
  return [...new Set(completions.flatMap(({ what }) => (what === 'keyword' ? [] : [what.value])))];
}
