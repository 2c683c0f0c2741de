/** What the settings say of each kind of rule. */

import type { ApplicationRule, ExporterName, Site } from '../../lib/api/schema';
import { plain } from '../../lib/networks';
import type { Field, Kind } from '../../lib/rules';

export interface FieldWords {
  field: Field;
  label: string;
  hint: string;
  /** Several lines. */
  isLong?: boolean;
}

export interface Words {
  title: string;
  one: string;
  add: string;
  empty: string;
  columns: string[];
  fields: FieldWords[];
  /** Whether the order of rules means something. */
  isOrdered: boolean;
}

export const WORDS: Record<Kind, Words> = {
  application: {
    title: 'Rules of applications',
    one: 'application',
    add: 'Add an application',
    empty:
      'No application has a rule yet: flows are called by what the exporter says, or by their well-known port.',
    columns: ['Servers', 'Ports', 'Clients'],
    fields: [
      {
        field: 'name',
        label: 'Name',
        hint: 'As people call it. A rule of the same name in the configuration gives way.',
      },
      {
        field: 'servers',
        label: 'Servers',
        hint: 'Addresses and subnets, by commas or lines; any if empty.',
        isLong: true,
      },
      { field: 'ports', label: 'Server ports', hint: '443, 8000-8099, 53/udp; any if empty.' },
      { field: 'clients', label: 'Clients', hint: 'Addresses and subnets; any if empty.', isLong: true },
    ],
    isOrdered: true,
  },
  site: {
    title: 'Sites',
    one: 'site',
    add: 'Add a site',
    empty: 'No site has been named yet. A site is a name for subnets, such as those of a branch.',
    columns: ['Subnets'],
    fields: [
      {
        field: 'name',
        label: 'Name',
        hint: 'As people call it. A site of the same name in the configuration gives way.',
      },
      {
        field: 'subnets',
        label: 'Subnets',
        hint: 'By commas or lines. Where those of several sites hold an address, the longest prefix wins.',
        isLong: true,
      },
    ],
    isOrdered: false,
  },
  exporter: {
    title: 'Names of exporters',
    one: 'exporter',
    add: 'Name an exporter',
    empty: 'No exporter has been named yet: they go by their addresses.',
    columns: ['Address', 'Interfaces', 'Sampling'],
    fields: [
      { field: 'address', label: 'Address', hint: 'That its datagrams come from.' },
      { field: 'name', label: 'Name', hint: 'As people call it.' },
      {
        field: 'interfaces',
        label: 'Interfaces',
        hint: 'One a line: ifIndex and name, as in 3 Gi0/1. What the exporter says comes second.',
        isLong: true,
      },
      {
        field: 'sampling',
        label: 'Sampling',
        hint: '1000 for 1 of 1000 packets, where the exporter does not say.',
      },
    ],
    isOrdered: false,
  },
};

const listed = (all: string[] | undefined, none: string) => (all?.length ? all.map(plain).join(', ') : none);

/** A rule in the columns of its kind. */
export function about(kind: Kind, rule: ApplicationRule | Site | ExporterName): string[] {
  if (kind === 'application') {
    const { servers, ports, clients } = rule as ApplicationRule;
    return [listed(servers, 'any'), ports?.length ? ports.join(', ') : 'any', listed(clients, 'any')];
  }
  if (kind === 'site') return [listed((rule as Site).subnets, 'none')];
  const { address, interfaces, sampling_interval: sampling } = rule as ExporterName;
  return [
    address,
    (interfaces ?? []).map(({ index, name }) => `${String(index)} ${name}`).join(', ') || '–',
    sampling ? (sampling === 1 ? 'every packet' : `1 of ${String(sampling)}`) : 'as it says',
  ];
}
