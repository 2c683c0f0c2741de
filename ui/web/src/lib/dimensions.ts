/** What flows are grouped by and what is counted of them, in words; and where a group's page is. */

import type { Dimension, Quantity, TopRow } from './api/schema';
import { isAddress } from './filter';
import { pathOf } from './routes';
import type { Rate } from './units';

export const DIMENSIONS: Record<Dimension, { title: string; one: string }> = {
  applications: { title: 'Applications', one: 'Application' },
  clients: { title: 'Clients', one: 'Client' },
  servers: { title: 'Servers', one: 'Server' },
  conversations: { title: 'Conversations', one: 'Conversation' },
  sites: { title: 'Sites', one: 'Site' },
  exporters: { title: 'Exporters', one: 'Exporter' },
  interfaces: { title: 'Interfaces', one: 'Interface' },
  protocols: { title: 'Protocols', one: 'Protocol' },
  ports: { title: 'Server ports', one: 'Server port' },
  directions: { title: 'Directions', one: 'Direction' },
};

export const QUANTITIES: Record<Quantity, { title: string; rate: Rate }> = {
  octets: { title: 'Traffic', rate: 'bit/s' },
  packets: { title: 'Packets', rate: 'packets/s' },
  flows: { title: 'Flows', rate: 'flows/s' },
  clients: { title: 'Clients', rate: 'clients' },
};

export const isDimension = (text: string | undefined): text is Dimension =>
  text !== undefined && text in DIMENSIONS;
export const isQuantity = (text: string | undefined): text is Quantity =>
  text !== undefined && text in QUANTITIES;

/** The path of a group's page, if it has one. */
export function groupPath(dimension: Dimension, name: string): string | undefined {
  if (name === 'others' || name === '') return undefined;
  if (dimension === 'applications') return pathOf('applications', name);
  if (dimension === 'exporters') return pathOf('exporters', name);
  if ((dimension === 'clients' || dimension === 'servers') && isAddress(name)) return pathOf('hosts', name);
  return undefined;
}

/** What a row of a top answer has of a quantity. */
export const valueOf = (row: TopRow, quantity: Quantity): number => row[quantity];
