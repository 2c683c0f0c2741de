/** Values over time as a heatmap: a row for each group, dark is much. */

import type { SeriesAnswer } from '../api/schema';
import { type Incomplete, missingWords } from '../lateness';
import { harmless, short } from '../names';
import { type Rate, rate, text } from '../units';
import { clockTime, date } from '../when';
import type { ChartOption } from './echarts';
import { drawn, middle, timeLabel } from './lines';
import { base, type Look, tooltip } from './look';

/** Five steps from hardly anything to all, each seen apart from the next without colour. */
const STEPS = {
  light: ['#dcebf5', '#a9cfe6', '#62a5d0', '#2475ad', '#0b3f6b'],
  dark: ['#16293a', '#1d4a6c', '#2b76a8', '#5cabdc', '#c3e4fa'],
};

/** Opacity where not all is there. */
const FAINT = 0.45;

export interface HeatmapStyle {
  unit: Rate;
  dark: boolean;
  until?: number | undefined;
  /** Where records still arrive: faint. */
  incomplete?: Incomplete | undefined;
}

export function heatmap(answer: SeriesAnswer, style: HeatmapStyle, look: Look): ChartOption {
  const rows = drawn({ ...answer, previous: null }, style.unit, style.until);
  const columns = rows[0]?.values.length ?? 0;
  const at = (column: number) => middle(answer, column);
  const span = columns * answer.step_s * 1000;
  const isFaint = (column: number) => at(column) >= (style.incomplete?.from ?? Infinity);
  const cells = rows.flatMap(({ values }, row) =>
    values.map((value, column) => ({
      value: [column, rows.length - 1 - row, value] as [number, number, number],
      ...(isFaint(column) && { itemStyle: { opacity: FAINT } }),
    })),
  );
  const max = Math.max(1e-9, ...cells.map(({ value }) => value[2]));
  const steps = STEPS[style.dark ? 'dark' : 'light'];
  const names = rows.map(({ name }) => name).reverse();
  return {
    ...base(look),
    grid: { left: 4, right: 8, top: 12, bottom: 2, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis: {
      type: 'category',
      data: Array.from({ length: columns }, (_, column) => String(at(column))),
      axisLine: { lineStyle: { color: look.line } },
      axisTick: { show: false },
      axisLabel: {
        color: look.quiet,
        hideOverlap: true,
        interval: Math.max(0, Math.ceil(columns / 8) - 1),
        formatter: (value: string) => timeLabel(Number(value), span),
      },
    },
    yAxis: {
      type: 'category',
      data: names,
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: look.text, formatter: (name: string) => short(name, look.width < 500 ? 12 : 44) },
    },
    visualMap: {
      type: 'piecewise',
      show: false,
      dimension: 2,
      // The root spreads what is small: traffic differs by orders of magnitude.
      pieces: [
        { lte: max * 1e-6, color: look.sunken },
        ...steps.map((color, step) => ({
          gt: step === 0 ? max * 1e-6 : max * (step / steps.length) ** 2,
          lte: max * ((step + 1) / steps.length) ** 2,
          color,
        })),
      ],
    },
    tooltip: {
      ...base(look).tooltip,
      trigger: 'item',
      formatter: (hit: unknown) => {
        const [column = 0, row = 0, value = 0] = (hit as { value: number[] }).value;
        const begins = at(column) - answer.step_s * 500;
        const head = `${date(begins)} ${clockTime(begins)}–${clockTime(begins + answer.step_s * 1000)}`;
        const said = { name: harmless(names[row] ?? ''), value: text(rate(value, style.unit)) };
        return tooltip(head, [said], 0, missingWords(style.incomplete, at(column)));
      },
    },
    series: [
      {
        type: 'heatmap',
        id: 'cells',
        data: cells,
        itemStyle: { borderColor: look.surface, borderWidth: columns > 200 ? 0 : 1 },
        emphasis: { itemStyle: { borderColor: look.text } },
        progressive: 0,
      },
    ],
  };
}
