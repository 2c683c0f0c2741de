/** Rules that name things: which can be changed, what somebody wrote of one, and which flows it would match. No DOM. */

import type { ApplicationRule, ExporterName, LearnedEndpoint, Rules, Site } from './api/schema';
import { entries, isIp, plain, PORT_MAX, ports, protocolName, subnet } from './networks';

export type Kind = 'application' | 'site' | 'exporter';
export type RuleOf<K extends Kind> = Rules[K][number];

/** A rule in force. */
export interface Listed<R> {
  rule: R;
  /** Of the catalog, which can be changed here; else of the configuration. */
  isOurs: boolean;
}

/** What a rule is known by: of the configuration's, one goes if the catalog has one of the same. */
export function keyOf(rule: ApplicationRule | Site | ExporterName): string {
  return 'address' in rule ? rule.address : rule.name;
}

/** All that are in force, those of the catalog first, which are also tried first. */
export function listed<K extends Kind>(kind: K, inForce: Rules, catalog: Rules): Listed<RuleOf<K>>[] {
  const ours = (catalog[kind] ?? []) as RuleOf<K>[];
  const known = new Set(ours.map(keyOf));
  const others = ((inForce[kind] ?? []) as RuleOf<K>[]).filter((rule) => !known.has(keyOf(rule)));
  return [
    ...ours.map((rule) => ({ rule, isOurs: true })),
    ...others.map((rule) => ({ rule, isOurs: false })),
  ];
}

/** Somebody else changed the rules meanwhile. */
export class Changed extends Error {}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The catalog with a rule in the place of another, or at the end. */
export function put<K extends Kind>(
  rules: Rules,
  kind: K,
  rule: RuleOf<K>,
  instead: RuleOf<K> | undefined,
): Rules {
  const all = [...rules[kind]] as RuleOf<K>[];
  if (instead === undefined) all.push(rule);
  else all[placeOf(all, instead)] = rule;
  return { ...rules, [kind]: all };
}

/** The catalog without a rule. */
export function without<K extends Kind>(rules: Rules, kind: K, gone: RuleOf<K>): Rules {
  const all = [...rules[kind]] as RuleOf<K>[];
  all.splice(placeOf(all, gone), 1);
  return { ...rules, [kind]: all };
}

/** The catalog with a rule tried earlier (−1) or later (+1). */
export function moved<K extends Kind>(rules: Rules, kind: K, rule: RuleOf<K>, by: -1 | 1): Rules {
  const all = [...rules[kind]] as RuleOf<K>[];
  const at = placeOf(all, rule);
  const to = Math.min(Math.max(at + by, 0), all.length - 1);
  all.splice(to, 0, ...all.splice(at, 1));
  return { ...rules, [kind]: all };
}

function placeOf(all: unknown[], rule: unknown): number {
  const at = all.findIndex((other) => same(other, rule));
  if (at < 0)
    throw new Changed('Somebody else changed this rule meanwhile. The list is as it is now; look again.');
  return at;
}

/** What somebody writes into the fields of a form. */
export type Draft = Record<
  'name' | 'servers' | 'ports' | 'clients' | 'subnets' | 'address' | 'sampling' | 'interfaces',
  string
>;
export type Field = keyof Draft;
export type Errors = Partial<Record<Field, string>>;

export const EMPTY: Draft = {
  name: '',
  servers: '',
  ports: '',
  clients: '',
  subnets: '',
  address: '',
  sampling: '',
  interfaces: '',
};

const NAME_MAX = 200;

/** A rule as a form shows it. */
export function draftOf(rule: Partial<ApplicationRule & Site & ExporterName>): Draft {
  const nets = (list: string[] | undefined) => (list ?? []).map(plain).join('\n');
  return {
    name: rule.name ?? '',
    servers: nets(rule.servers),
    ports: (rule.ports ?? []).join(', '),
    clients: nets(rule.clients),
    subnets: nets(rule.subnets),
    address: rule.address ?? '',
    sampling: rule.sampling_interval ? String(rule.sampling_interval) : '',
    interfaces: (rule.interfaces ?? []).map(({ index, name }) => `${String(index)} ${name}`).join('\n'),
  };
}

/** A rule that names what was learned. */
export function draftOfLearned({ address, port, protocol }: LearnedEndpoint): Draft {
  return { ...EMPTY, servers: address, ports: `${String(port)}/${protocolName(protocol)}` };
}

/** The rule that somebody wrote, and what is wrong at which field. */
export function read<K extends Kind>(kind: K, draft: Draft): { rule: RuleOf<K>; errors: Errors } {
  const errors: Errors = {};
  const name = draft.name.trim();
  if (name === '') errors.name = 'It needs a name.';
  else if ([...name].length > NAME_MAX) errors.name = `At most ${String(NAME_MAX)} characters.`;
  // eslint-disable-next-line no-control-regex -- these are what the server refuses
  else if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) errors.name = 'It has characters that cannot be seen.';
  const nets = (field: 'servers' | 'clients' | 'subnets') =>
    list(
      draft[field],
      field,
      errors,
      subnet,
      'is no address or subnet: write 10.1.2.3, 10.1.0.0/16 or fd00::/64',
    );
  let rule: ApplicationRule | Site | ExporterName;
  if (kind === 'application') {
    const known = (text: string) => (ports(text) ? text : undefined);
    const wrong = 'is no port: write 443, 8000-8099, 53/udp or 5060-5061/tcp';
    rule = {
      name,
      servers: nets('servers'),
      ports: list(draft.ports, 'ports', errors, known, wrong),
      clients: nets('clients'),
    };
    if (
      !errors.servers &&
      rule.servers?.length === 0 &&
      rule.ports?.length === 0 &&
      rule.clients?.length === 0
    )
      errors.servers = 'Without servers, ports and clients it would match every flow.';
  } else if (kind === 'site') {
    rule = { name, subnets: nets('subnets') };
    if (!errors.subnets && rule.subnets.length === 0) errors.subnets = 'It needs at least one subnet.';
  } else {
    rule = exporter(name, draft, errors);
  }
  return { rule: rule as RuleOf<K>, errors };
}

function list(
  text: string,
  field: Field,
  errors: Errors,
  known: (entry: string) => string | undefined,
  wrong: string,
): string[] {
  const found: string[] = [];
  for (const entry of entries(text)) {
    const value = known(entry);
    if (value === undefined) errors[field] ??= `‘${entry.slice(0, 60)}’ ${wrong}.`;
    else found.push(value);
  }
  return found;
}

function exporter(name: string, draft: Draft, errors: Errors): ExporterName {
  const address = draft.address.trim();
  if (!isIp(address))
    errors.address = 'Write the address that its datagrams come from, such as 10.0.0.1 or fd00::1.';
  const sampling = draft.sampling.trim();
  if (sampling && !/^[1-9]\d{0,8}$/.test(sampling))
    errors.sampling = 'A whole number: 1000 for 1 of 1000 packets, 1 for every packet.';
  const interfaces = [];
  const seen = new Set<number>();
  for (const line of draft.interfaces.split('\n').filter((it) => it.trim() !== '')) {
    const match = /^\s*(\d{1,10})\s*[\s=:]\s*(\S.*?)\s*$/.exec(line);
    const index = Number(match?.[1]);
    if (!match?.[2] || index > 0xffff_ffff)
      errors.interfaces ??= `‘${line.trim().slice(0, 60)}’ is no interface: write its ifIndex and its name, as in 3 Gi0/1.`;
    else if (seen.has(index)) errors.interfaces ??= `Interface ${String(index)} is there twice.`;
    else interfaces.push({ index, name: match[2] });
    seen.add(index);
  }
  return {
    address,
    name,
    ...(sampling && !errors.sampling && { sampling_interval: Number(sampling) }),
    ...(interfaces.length > 0 && { interfaces }),
  };
}

/** At which field of its form a message of the server belongs; none if it does not say. */
export function fieldOf(kind: Kind, message: string): Field | undefined {
  const words: Record<Kind, [RegExp, Field][]> = {
    application: [
      [/\bport/i, 'ports'],
      [/\bname\b/i, 'name'],
      [/\b(IP|address|subnet|servers)\b/i, 'servers'],
    ],
    site: [
      [/\bsubnet|\bIP\b/i, 'subnets'],
      [/\bname\b|is there twice/i, 'name'],
    ],
    exporter: [
      [/\bsampling/i, 'sampling'],
      [/\binterface/i, 'interfaces'],
      [/\bname\b/i, 'name'],
      [/\baddress\b|\bIP\b|is there twice/i, 'address'],
    ],
  };
  return words[kind].find(([pattern]) => pattern.test(message))?.[1];
}

/** The flows that a rule would match, as a filter; empty if it would match all, or none can be told. */
export function filterOf<K extends Kind>(kind: K, rule: RuleOf<K>): string {
  if (kind === 'application') {
    const { servers = [], ports: wanted = [], clients = [] } = rule as ApplicationRule;
    const parts = [oneOf('server ip', servers), portsFilter(wanted), oneOf('client ip', clients)];
    return parts.filter((part) => part !== '').join(' and ');
  }
  if (kind === 'site') return oneOf('ip', (rule as Site).subnets);
  const { address } = rule as ExporterName;
  return isIp(address) ? `exporter ${address}` : '';
}

function oneOf(what: string, values: string[]): string {
  return values.length > 0 ? `${what} in [${values.join(', ')}]` : '';
}

function portsFilter(all: string[]): string {
  const byProtocol = new Map<string, string[]>();
  for (const text of all) {
    const found = ports(text);
    if (!found) continue;
    const { first, last, protocol = '' } = found;
    const ranges = byProtocol.get(protocol) ?? [];
    // All ports are also none: protocols without ports have a 0 there, or nothing.
    const isAll = first === 0 && last === PORT_MAX;
    ranges.push(isAll ? '' : first === last ? String(first) : `${String(first)}-${String(last)}`);
    byProtocol.set(protocol, ranges);
  }
  const parts = [...byProtocol].map(([protocol, ranges]) => {
    const port = ranges.includes('') ? '' : oneOf('server port', ranges);
    const proto = protocol && `proto ${protocol}`;
    return [proto, port].filter((part) => part !== '').join(' and ') || 'any';
  });
  return parts.length > 1 ? `(${parts.map((part) => `(${part})`).join(' or ')})` : (parts[0] ?? '');
}
