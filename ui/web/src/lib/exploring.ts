/** What the explore page shows, as its address says it. */

import type { Dimension, Quantity, View } from './api/schema';
import { isDimension, isQuantity } from './dimensions';

export const DRAWINGS = ['areas', 'lines', 'heatmap', 'sankey', 'table'] as const;
export type Drawing = (typeof DRAWINGS)[number];

/** Groups in one list, one inside the other. */
export const GROUPS_MAX = 3;
export const LIMITS = [5, 10, 20, 50, 100];
/** Conversations that a sankey draws: more are a carpet. */
const BANDS = 40;

export interface Exploring {
  /** One to three dimensions. The server groups by the first one until it takes several. */
  groups: Dimension[];
  by: Quantity;
  drawing: Drawing;
  limit: number;
  previous: boolean;
}

export function exploring(own: (name: string) => string | undefined): Exploring {
  const groups = (own('group') ?? '').split(',').filter(isDimension).slice(0, GROUPS_MAX);
  const by = own('by');
  const drawing = DRAWINGS.find((it) => it === own('view')) ?? 'areas';
  const limit = Number(own('limit'));
  return {
    groups: groups.length > 0 ? [...new Set(groups)] : ['applications'],
    by: isQuantity(by) ? by : 'octets',
    drawing,
    limit: Number.isInteger(limit) && limit >= 1 && limit <= 100 ? limit : 10,
    previous: own('previous') === '1',
  };
}

export const dimensionOf = ({ groups }: Exploring): Dimension => groups[0] ?? 'applications';

/** A series for what is drawn over time. */
export function seriesView(it: Exploring): Extract<View, { series: unknown }> | undefined {
  if (it.drawing === 'sankey' || it.drawing === 'table') return undefined;
  const previous = it.previous && it.drawing !== 'heatmap';
  return {
    series: { dimension: dimensionOf(it), by: it.by, limit: it.limit, ...(previous && { previous }) },
  };
}

/** The largest groups for what is not: a sankey is made of conversations. */
export function topView(it: Exploring): Extract<View, { top: unknown }> | undefined {
  if (it.drawing === 'sankey') return { top: { dimension: 'conversations', by: it.by, limit: BANDS } };
  return it.drawing === 'table'
    ? { top: { dimension: dimensionOf(it), by: it.by, limit: it.limit } }
    : undefined;
}
