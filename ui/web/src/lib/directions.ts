/** Both directions of traffic: what clients sent is drawn above the axis, what servers sent below it. No DOM. */

import type { Dimension, Line, SeriesAnswer } from './api/schema';
import { BETWEEN, OTHERS, partsOf } from './parts';

/** What the server calls them. */
const WAYS = ['from client', 'from server'] as const;
const BELOW = WAYS[1];

export const hasDirections = (groups: readonly Dimension[]): boolean => groups.includes('directions');

/** With directions, or without. */
export function withDirections(groups: readonly Dimension[], wanted: boolean): Dimension[] {
  const others = groups.filter((it) => it !== 'directions');
  return wanted ? [...others, 'directions'] : others.length > 0 ? others : ['applications'];
}

export interface Sided {
  /** Without the direction: both sides have one colour. */
  name: string;
  isBelow: boolean;
}

/** Where a line of groups is drawn. */
export function sided(name: string, groups: readonly Dimension[]): Sided {
  const at = groups.indexOf('directions');
  const parts = at < 0 ? undefined : partsOf(name, groups.length);
  const way = parts?.[at];
  if (!parts || way === undefined || parts.length === 1) return { name, isBelow: way === BELOW };
  const rest = parts.filter((_, place) => place !== at);
  return { name: rest.includes(OTHERS) ? OTHERS : rest.join(BETWEEN), isBelow: way === BELOW };
}

/**
 * What is not among the largest groups, a line for each direction: the server has one line for both. `totals` is the same question
 * by directions only. Those of the time before are left out: nobody has asked how they divide.
 */
export function withOthers(
  answer: SeriesAnswer,
  totals: SeriesAnswer,
  groups: readonly Dimension[],
): SeriesAnswer {
  const lines = answer.lines.filter((line) => line.name !== OTHERS);
  if (lines.length === answer.lines.length) return answer;
  // Live, the second answer may begin an interval earlier or later.
  const shift = Math.round((Date.parse(answer.from) - Date.parse(totals.from)) / 1000 / answer.step_s);
  const others = WAYS.map((way): Line => {
    const named = lines.filter((line) => sided(line.name, groups).isBelow === (way === BELOW));
    const total = totals.lines.find((line) => line.name === way)?.values ?? [];
    const values = (answer.lines[0]?.values ?? []).map((_, point) => {
      const shown = named.reduce((sum, line) => sum + (line.values[point] ?? 0), 0);
      return Math.max((total[point + shift] ?? 0) - shown, 0);
    });
    return { name: groups.map((it) => (it === 'directions' ? way : OTHERS)).join(BETWEEN), values };
  });
  const previous = answer.previous?.filter((line) => line.name !== OTHERS);
  return { ...answer, lines: [...lines, ...others], ...(previous && { previous }) };
}
