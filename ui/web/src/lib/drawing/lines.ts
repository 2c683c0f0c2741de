/** Values over time as lines or stacked areas. */

import type { Dimension, SeriesAnswer } from '../api/schema';
import { colour } from '../colours';
import { sided } from '../directions';
import { type Incomplete, missingWords } from '../lateness';
import { harmless } from '../names';
import { axis, perSecond, type Rate, rate, text } from '../units';
import { clockTime, date, shortTime } from '../when';
import type { ChartOption } from './echarts';
import { base, type Look, tooltip, type TooltipRow } from './look';

/** Lines that a tooltip names; a longer one hides what it explains. */
const TOOLTIP_ROWS_MAX = 12;

export interface LinesStyle {
  unit: Rate;
  stacked: boolean;
  /** Where what is shown ends, milliseconds: a last interval that ends later is not whole and not drawn. */
  until?: number | undefined;
  /** Where records still arrive: shaded. */
  incomplete?: Incomplete | undefined;
  /** What the lines are groups of: with directions among them, what servers sent is drawn below the axis. */
  groups?: readonly Dimension[];
  /** The line that a hand is on, elsewhere on the page. */
  highlighted?: string | undefined;
}

/** One line, in its unit a second. */
export interface Drawn {
  name: string;
  colour: string;
  values: number[];
  isPrevious: boolean;
  isBelow: boolean;
}

/** What is drawn of an answer: rates, whole intervals only; stacks begin with the largest. */
export function drawn(
  answer: SeriesAnswer,
  unit: Rate,
  until?: number,
  groups: readonly Dimension[] = [],
): Drawn[] {
  const whole = wholeIntervals(answer, until);
  const lines = (all: SeriesAnswer['lines'], isPrevious: boolean) =>
    all.map(({ name, values }): Drawn => {
      const side = sided(name, groups);
      return {
        name,
        colour: colour(side.name),
        isPrevious,
        isBelow: side.isBelow,
        values: values.slice(0, whole).map((value) => perSecond(value, answer.step_s, unit)),
      };
    });
  return [...lines(answer.lines, false), ...lines(answer.previous ?? [], true)];
}

/** How many intervals of an answer are whole: the time that is shown may end in the last one. */
export function wholeIntervals({ from, step_s, lines }: SeriesAnswer, until: number | undefined): number {
  const all = lines[0]?.values.length ?? 0;
  if (until === undefined || all < 2) return all;
  const passed = (until - Date.parse(from)) / 1000 / step_s;
  // An answer to another time, which stays until the next one is there, is whole as far as anybody knows.
  return passed >= all - 1 && passed < all - 0.05 ? all - 1 : all;
}

/** All lines of an answer together, and their mean; what was before does not count. */
export function summed(
  answer: SeriesAnswer | undefined,
  unit: Rate,
  until?: number,
): { values: number[]; mean: number } {
  if (!answer) return { values: [], mean: NaN };
  const all = drawn({ ...answer, previous: null }, unit, until);
  const values = (all[0]?.values ?? []).map((_, at) =>
    all.reduce((sum, line) => sum + (line.values[at] ?? 0), 0),
  );
  return { values, mean: values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1) };
}

/** The middle of an interval. */
export function middle(answer: SeriesAnswer, at: number): number {
  return Date.parse(answer.from) + (at + 0.5) * answer.step_s * 1000;
}

export function lines(answer: SeriesAnswer, style: LinesStyle, look: Look): ChartOption {
  const all = drawn(answer, style.unit, style.until, style.groups);
  const [above, below] = [false, true].map((side) => all.filter((line) => line.isBelow === side));
  const max = Math.max(highest(above ?? [], style.stacked), highest(below ?? [], style.stacked));
  const { divide, unit } = axis(max, style.unit);
  const points = all[0]?.values.length ?? 0;
  const [first, last] = [middle(answer, 0), middle(answer, Math.max(points - 1, 1))];
  const shade = shaded(style.incomplete?.from, [first, last], look);
  return {
    ...base(look),
    grid: {
      left: 4,
      right: 12,
      top: 24,
      bottom: 2,
      outerBoundsMode: 'same',
      outerBoundsContain: 'axisLabel',
    },
    xAxis: {
      type: 'time',
      min: first,
      max: last,
      axisLine: { lineStyle: { color: look.line } },
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: {
        color: look.quiet,
        hideOverlap: true,
        formatter: (at: number) => timeLabel(at, last - first),
      },
    },
    yAxis: {
      type: 'value',
      name: unit.trim() + (below?.length ? '   ↑ from clients  ↓ from servers' : ''),
      nameGap: 8,
      nameTextStyle: { color: look.quiet, align: 'left', padding: [0, 0, 0, -4] },
      ...(!below?.length && { min: 0 }),
      splitNumber: 4,
      axisLine: { show: false },
      axisTick: { show: false },
      splitLine: { lineStyle: { color: look.grid } },
      axisLabel: { color: look.quiet, formatter: (value: number) => axisNumber(Math.abs(value) / divide) },
    },
    tooltip: {
      ...base(look).tooltip,
      trigger: 'axis',
      axisPointer: { type: 'line', lineStyle: { color: look.quiet, type: 'solid', width: 1 }, snap: true },
      formatter: (hits: unknown) => explained(answer, all, style, hits),
    },
    // One of them has the shade.
    series: all.map((line, at) => ({
      ...series(line, answer, style),
      ...(at === 0 && { markArea: shade }),
    })),
  };
}

function series(line: Drawn, answer: SeriesAnswer, style: LinesStyle) {
  const isFaint = style.highlighted !== undefined && style.highlighted !== line.name;
  const isStacked = style.stacked && !line.isPrevious;
  return {
    type: 'line' as const,
    id: `${line.isPrevious ? 'before' : 'now'} ${line.name}`,
    name: line.name,
    data: line.values.map((value, index) => [middle(answer, index), line.isBelow ? -value : value]),
    symbol: 'none',
    emphasis: { disabled: true },
    silent: true,
    ...(isStacked && { stack: line.isBelow ? 'below' : 'above' }),
    lineStyle: {
      color: line.colour,
      width: isStacked ? 0.75 : 1.5,
      type: line.isPrevious ? ('dashed' as const) : ('solid' as const),
      opacity: isFaint ? 0.25 : line.isPrevious ? 0.6 : 1,
    },
    ...(isStacked && { areaStyle: { color: line.colour, opacity: isFaint ? 0.2 : 0.88 } }),
  };
}

/** Where records still arrive. */
function shaded(from: number | undefined, [first, last]: [number, number], look: Look) {
  if (from === undefined || from >= last) return { data: [] };
  const ends: [{ xAxis: number }, { xAxis: number }] = [{ xAxis: Math.max(from, first) }, { xAxis: last }];
  return { silent: true, itemStyle: { color: look.shade }, data: [ends] };
}

/** The highest point that is drawn. */
export function highest(all: Drawn[], stacked: boolean): number {
  let max = 0;
  const length = Math.max(0, ...all.map((line) => line.values.length));
  for (let at = 0; at < length; at += 1) {
    let sum = 0;
    for (const { values, isPrevious } of all) {
      const value = values[at] ?? 0;
      if (stacked && !isPrevious) sum += value;
      else max = Math.max(max, value);
    }
    max = Math.max(max, sum);
  }
  return max;
}

function explained(answer: SeriesAnswer, all: Drawn[], style: LinesStyle, hits: unknown): HTMLElement {
  const [hit] = hits as { dataIndex: number }[];
  const at = hit?.dataIndex ?? 0;
  const begins = Date.parse(answer.from) + at * answer.step_s * 1000;
  const rows = all
    .filter(({ values }) => (values[at] ?? 0) > 0)
    .sort((a, b) => Number(a.isPrevious) - Number(b.isPrevious) || (b.values[at] ?? 0) - (a.values[at] ?? 0))
    .map((line): TooltipRow => ({
      colour: line.colour,
      name: harmless(line.name) + (line.isPrevious ? ' (before)' : ''),
      value: text(rate(line.values[at] ?? 0, style.unit)),
    }));
  const head = `${date(begins)} ${clockTime(begins)}–${clockTime(begins + answer.step_s * 1000)}`;
  const missing = missingWords(style.incomplete, middle(answer, at));
  return tooltip(head, rows.slice(0, TOOLTIP_ROWS_MAX), rows.length - TOOLTIP_ROWS_MAX, missing);
}

const axisNumber = (value: number): string => String(Number(value.toPrecision(3)));

/** Times at an axis: no finer than its span needs. */
export function timeLabel(at: number, span: number): string {
  const time = clockTime(at);
  if (span > 36 * 3_600_000) return time === '00:00:00' ? date(at).slice(5) : time.slice(0, 5);
  return span <= 5 * 60_000 ? time : shortTime(at).slice(0, 5);
}
