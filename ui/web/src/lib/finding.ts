/** Where somebody who knows a name or an address wants to go. No DOM. */

import { isIp } from './networks';
import { pathOf } from './routes';

export interface Place {
  /** What it is called. */
  name: string;
  kind: 'application' | 'exporter' | 'host';
  path: string;
}

/** What there is to be found. */
export interface Known {
  applications: string[];
  exporters: { address: string; name?: string | null | undefined }[];
}

/** What fits, the best first: the whole name, its beginning, then anywhere in it. */
export function places(text: string, known: Known, max = 8): Place[] {
  const wanted = text.trim();
  if (wanted === '') return [];
  const low = wanted.toLowerCase();
  const found: Place[] = [];
  const addresses = new Set<string>();
  for (const { address, name } of known.exporters) {
    if (addresses.has(address)) continue;
    addresses.add(address);
    if (address === low || name?.toLowerCase().includes(low))
      found.push({ name: name ?? address, kind: 'exporter', path: pathOf('exporters', address) });
  }
  for (const name of known.applications) {
    if (name.toLowerCase().includes(low))
      found.push({ name, kind: 'application', path: pathOf('applications', name) });
  }
  const rank = ({ name }: Place) => {
    const at = name.toLowerCase().indexOf(low);
    return name.toLowerCase() === low ? -1 : at < 0 ? Infinity : at;
  };
  found.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  // An address is a host before all else that has it.
  if (isIp(wanted)) found.unshift({ name: wanted, kind: 'host', path: pathOf('hosts', wanted) });
  return found.slice(0, max);
}
