/** Groups of two or three dimensions as bands: a column for each dimension, in their order. */

import type { TopRow } from '../api/schema';
import { colour, GREY } from '../colours';
import { harmless, short } from '../names';
import { perSecond, type Rate, rate, text } from '../units';
import type { ChartOption } from './echarts';
import { base, type Look, tooltip } from './look';

/** A name in its column: one that is in two of them, as a host that is a client and a server, stands twice, and nothing goes round. */
export interface Place {
  column: number;
  name: string;
}

export interface Link {
  source: Place;
  target: Place;
  value: number;
}

/** Bands between neighbouring columns, summed up over groups that share both ends; the widest first. */
export function links(rows: TopRow[], value: (row: TopRow) => number): Link[] {
  const found = new Map<string, Link>();
  for (const row of rows) {
    const parts = row.parts ?? [];
    if (!(value(row) > 0)) continue;
    for (let column = 0; column + 1 < parts.length; column += 1) {
      const source = { column, name: parts[column] ?? '' };
      const target = { column: column + 1, name: parts[column + 1] ?? '' };
      const key = JSON.stringify([column, source.name, target.name]);
      const there = found.get(key)?.value ?? 0;
      found.set(key, { source, target, value: there + value(row) });
    }
  }
  return [...found.values()].sort((a, b) => b.value - a.value);
}

const idOf = ({ column, name }: Place): string => `${String(column)}:${name}`;
const nameOf = (id: string): string => id.slice(id.indexOf(':') + 1);

/** Between names of a column: as high as one. Where there are more, not all are written. */
const GAP_PX = 12;
/** Of a column, so that there is room for the bands. */
const GAPS_PX = 480;

export interface SankeyStyle {
  unit: Rate;
  /** How long what is counted took. */
  seconds: number;
  /** The column whose names have their colours: with those of all, nothing could be told apart. */
  coloured: number;
}

export function sankey(all: Link[], { unit, seconds, coloured }: SankeyStyle, look: Look): ChartOption {
  const places = new Map(all.flatMap(({ source, target }) => [source, target]).map((it) => [idOf(it), it]));
  const last = Math.max(0, ...all.map(({ target }) => target.column));
  const columns = [...places.values()].map(({ column }) => column);
  const fullest = Math.max(1, ...columns.map((it) => columns.filter((other) => other === it).length));
  const room = (look.width < 500 ? 30 : 80) / (last + 1);
  const shown = (value: number) => text(rate(perSecond(value, seconds, unit), unit));
  return {
    ...base(look),
    tooltip: {
      ...base(look).tooltip,
      trigger: 'item',
      formatter: (hit: unknown) => explained(hit, shown),
    },
    series: [
      {
        type: 'sankey',
        id: 'bands',
        left: 4,
        right: 4,
        top: 8,
        bottom: 8,
        nodeWidth: 10,
        nodeGap: Math.min(GAP_PX, GAPS_PX / fullest),
        draggable: false,
        layoutIterations: 16,
        data: [...places].map(([id, { column, name }]) => ({
          name: id,
          depth: column,
          itemStyle: { color: column === coloured ? colour(name) : GREY, borderWidth: 0 },
          label: { position: column < last ? ('right' as const) : ('left' as const) },
        })),
        links: all.map(({ source, target, value }) => ({
          source: idOf(source),
          target: idOf(target),
          value,
          lineStyle: {
            color:
              source.column === coloured
                ? colour(source.name)
                : target.column === coloured
                  ? colour(target.name)
                  : GREY,
          },
        })),
        labelLayout: { hideOverlap: true },
        label: {
          color: look.text,
          fontSize: 11,
          formatter: (node: { name: string }) => short(nameOf(node.name), room),
        },
        lineStyle: { opacity: 0.38, curveness: 0.5 },
        emphasis: { focus: 'adjacency', lineStyle: { opacity: 0.6 } },
      },
    ],
  };
}

function explained(hit: unknown, shown: (value: number) => string): HTMLElement {
  const { dataType, name, value, data } = hit as {
    dataType: string;
    name: string;
    value: number;
    data: { source?: string; target?: string; value?: number };
  };
  if (dataType === 'node')
    return tooltip(harmless(nameOf(name)), [{ name: 'all of it', value: shown(value) }]);
  const ends = [data.source, data.target].map((id) => harmless(nameOf(id ?? '')));
  return tooltip(ends.join(' → '), [{ name: 'both directions', value: shown(data.value ?? 0) }]);
}
