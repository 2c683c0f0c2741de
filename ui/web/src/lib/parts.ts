/** Names of groups by more than one dimension: one of each, taken apart. No DOM. */

import type { Dimension, TopRow } from './api/schema';
import { clause } from './filter';

/** Between the names, as the server puts them together. */
export const BETWEEN = ' · ';
/** What is no single group, and has no names. */
export const OTHERS = 'others';

/** The names of a group by so many dimensions; `undefined` if it cannot be told where one ends, as names may hold anything. */
export function partsOf(name: string, dimensions: number): string[] | undefined {
  if (dimensions === 1) return [name];
  const parts = name.split(BETWEEN);
  return parts.length === dimensions ? parts : undefined;
}

/** The names of a row: the server says them. */
export const partsOfRow = (row: TopRow): string[] => (row.parts?.length ? row.parts : [row.name]);

/** The filter for one group by all its names; `undefined` where the language has no words for it. */
export function clauseOf(dimensions: readonly Dimension[], parts: string[] | undefined): string | undefined {
  if (parts?.length !== dimensions.length) return undefined;
  const clauses = dimensions.flatMap((dimension, at) =>
    isInFilters(dimension) ? [clause(dimension, parts[at] ?? '')] : [],
  );
  return clauses.includes(undefined) ? undefined : clauses.join(' and ');
}

/** A filter is of whole flows: of a direction it knows nothing. */
const isInFilters = (dimension: Dimension): boolean => dimension !== 'directions';

/** Whether the language has words for groups of these. */
export const canNarrow = (dimensions: readonly Dimension[]): boolean =>
  dimensions.some(isInFilters) && !dimensions.includes('interfaces');
