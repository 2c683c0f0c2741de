/** What the explore page shows, as its address says it. */

import type { Dimension, Quantity, View } from './api/schema';
import { path } from './fetching';
import { hasDirections } from './directions';
import { DIMENSIONS, isDimension, isQuantity, QUANTITIES } from './dimensions';

export const DRAWINGS = ['areas', 'lines', 'heatmap', 'sankey', 'table'] as const;
export type Drawing = (typeof DRAWINGS)[number];

/** Flows are grouped by so many dimensions together. */
export const GROUPS_MAX = 3;
export const LIMITS = [5, 10, 20, 50, 100];

export interface Exploring {
  /** One to three dimensions; a sankey has at least two. */
  groups: Dimension[];
  by: Quantity;
  drawing: Drawing;
  limit: number;
  previous: boolean;
}

/** How many groups if nothing is said; of more, bands are a carpet. */
export const usualLimit = (drawing: Drawing): number => (drawing === 'sankey' ? 40 : 10);

export function exploring(own: (name: string) => string | undefined): Exploring {
  const groups = [...new Set((own('group') ?? '').split(',').filter(isDimension))].slice(0, GROUPS_MAX);
  const by = own('by');
  const drawing = DRAWINGS.find((it) => it === own('view')) ?? 'areas';
  const limit = Number(own('limit'));
  const [only = 'applications', ...more] = groups;
  return {
    groups: drawing === 'sankey' && more.length === 0 ? PAIRED[only] : [only, ...more],
    by: isQuantity(by) ? by : 'octets',
    drawing,
    limit: Number.isInteger(limit) && limit >= 1 && limit <= 100 ? limit : usualLimit(drawing),
    previous: own('previous') === '1',
  };
}

/** Bands need two ends: those that one dimension suggests. */
const PAIRED: Record<Dimension, Dimension[]> = {
  applications: ['clients', 'applications'],
  clients: ['clients', 'servers'],
  servers: ['clients', 'servers'],
  conversations: ['clients', 'servers', 'ports'],
  sites: ['sites', 'applications'],
  exporters: ['exporters', 'applications'],
  interfaces: ['interfaces', 'applications'],
  protocols: ['clients', 'protocols'],
  ports: ['clients', 'ports'],
  directions: ['directions', 'applications'],
};

/** The order in which further dimensions are offered. */
const OFFERED: Dimension[] = [
  'applications',
  'servers',
  'clients',
  'ports',
  'sites',
  'protocols',
  'exporters',
  'interfaces',
  'conversations',
  'directions',
];

/** One more, if there may be. */
export function withMore(groups: Dimension[]): Dimension[] {
  const next = OFFERED.find((it) => !groups.includes(it));
  return next && groups.length < GROUPS_MAX ? [...groups, next] : groups;
}

/** Another one at a place; if it is there already, both change places. */
export function withGroup(groups: Dimension[], place: number, dimension: Dimension): Dimension[] {
  const before = groups[place];
  return groups.map((it, at) => (at === place ? dimension : it === dimension && before ? before : it));
}

/** How few there may be. */
export const groupsMin = (drawing: Drawing): number => (drawing === 'sankey' ? 2 : 1);

/** What an address says of groups; nothing where that is as always. */
export const groupText = (groups: Dimension[]): string | undefined =>
  groups.join(',') === 'applications' ? undefined : groups.join(',');

/** `Traffic by client, server and server port`. */
export function titleOf({ groups, by }: Exploring): string {
  const names = groups.map((it) => DIMENSIONS[it].one.toLowerCase());
  const last = names.pop() ?? '';
  return `${QUANTITIES[by].title} by ${names.length > 0 ? `${names.join(', ')} and ${last}` : last}`;
}

/** Which dimension's names have colours where there is room for those of one: what has them everywhere, else the last. */
export function colouredOf(groups: readonly Dimension[]): number {
  const known = groups.findIndex((it) => it === 'applications' || it === 'sites');
  return known >= 0 ? known : groups.length - 1;
}

/** The path of the server's picture of this: lines, areas or bars, which is all that it draws. */
export function picturePath(
  it: Exploring,
  moment: Record<string, string>,
  kind: 'svg' | 'png',
  theme: string,
): string {
  const series = seriesView(it)?.series;
  const file = `picture.${kind}`;
  if (!series) {
    const { dimension, ...rest } = topView(it)?.top ?? { dimension: it.groups.join(',') };
    return path(`/api/v1/top/${dimension}/${file}`, { ...moment, ...rest, theme });
  }
  const view = it.drawing === 'lines' ? 'lines' : 'areas';
  return path(`/api/v1/series/${file}`, { ...moment, ...series, view, theme });
}

/** What such a picture shows where it is not what the page does. */
export const pictureWords = (drawing: Drawing): string =>
  drawing === 'heatmap' ? ' (areas)' : drawing === 'sankey' || drawing === 'table' ? ' (bars)' : '';

/** A series for what is drawn over time. */
export function seriesView(it: Exploring): Extract<View, { series: unknown }> | undefined {
  if (it.drawing === 'sankey' || it.drawing === 'table') return undefined;
  const previous = it.previous && it.drawing !== 'heatmap';
  const dimension = it.groups.join(',');
  return { series: { dimension, by: it.by, limit: it.limit, ...(previous && { previous }) } };
}

/** What goes in each direction altogether, where lines are of one: what is left of it is others. */
export function totalsView(it: Exploring): Extract<View, { series: unknown }> | undefined {
  const series = it.groups.length > 1 && hasDirections(it.groups) ? seriesView(it)?.series : undefined;
  return series && { series: { dimension: 'directions', by: it.by, limit: 2 } };
}

/** The largest groups for what is not. */
export function topView(it: Exploring): Extract<View, { top: unknown }> | undefined {
  if (seriesView(it)) return undefined;
  return { top: { dimension: it.groups.join(','), by: it.by, limit: it.limit } };
}
