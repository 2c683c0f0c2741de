/** Who talks to whom, as bands: clients on the left, server ports on the right. */

import type { TopRow } from '../api/schema';
import { colour, GREY } from '../colours';
import { conversation } from '../filter';
import { harmless, short } from '../names';
import { perSecond, type Rate, rate, text } from '../units';
import type { ChartOption } from './echarts';
import { base, type Look, tooltip } from './look';

export interface Link {
  source: string;
  target: string;
  value: number;
}

/** Bands of the largest conversations: those of the same two ends are one. */
export function links(rows: TopRow[], value: (row: TopRow) => number): Link[] {
  const found = new Map<string, Link>();
  for (const row of rows) {
    const ends = conversation(row.name);
    if (!ends) continue;
    const target = ends.port
      ? `${ends.server} ${ends.port}/${ends.protocol}`
      : `${ends.server} ${ends.protocol}`;
    const key = `${ends.client}\n${target}`;
    const link = found.get(key) ?? { source: ends.client, target, value: 0 };
    found.set(key, { ...link, value: link.value + value(row) });
  }
  return [...found.values()].filter((link) => link.value > 0).sort((a, b) => b.value - a.value);
}

/** Sides are kept apart: a host that is a client and a server stands on both. */
const side = (which: 'c' | 's', name: string): string => `${which}:${name}`;

export function sankey(all: Link[], unit: Rate, seconds: number, look: Look): ChartOption {
  const names = new Set(all.flatMap((link) => [side('c', link.source), side('s', link.target)]));
  const shown = (value: number) => text(rate(perSecond(value, seconds, unit), unit));
  return {
    ...base(look),
    tooltip: {
      ...base(look).tooltip,
      trigger: 'item',
      formatter: (hit: unknown) => {
        const { dataType, name, value, data } = hit as {
          dataType: string;
          name: string;
          value: number;
          data: Partial<Link>;
        };
        if (dataType === 'node')
          return tooltip(harmless(name.slice(2)), [{ name: 'all of it', value: shown(value) }]);
        const ends = `${(data.source ?? '').slice(2)} → ${(data.target ?? '').slice(2)}`;
        return tooltip(harmless(ends), [{ name: 'both directions', value: shown(data.value ?? 0) }]);
      },
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
        nodeGap: 6,
        draggable: false,
        layoutIterations: 16,
        data: [...names].map((name) => ({
          name,
          // Colours say which server: with those of the clients, too, nothing could be told apart.
          itemStyle: { color: name.startsWith('c:') ? GREY : colour(name.slice(2)), borderWidth: 0 },
          label: { position: name.startsWith('c:') ? ('right' as const) : ('left' as const) },
        })),
        links: all.map((link) => ({
          source: side('c', link.source),
          target: side('s', link.target),
          value: link.value,
        })),
        labelLayout: { hideOverlap: true },
        label: {
          color: look.text,
          fontSize: 11,
          formatter: (node: { name: string }) => short(node.name.slice(2), look.width < 500 ? 18 : 40),
        },
        lineStyle: { color: 'target', opacity: 0.38, curveness: 0.5 },
        emphasis: { focus: 'adjacency', lineStyle: { opacity: 0.6 } },
      },
    ],
  };
}
