/** What is shown as a file. */

import type { SeriesAnswer, TopRow } from './api/schema';
import { partsOf } from './parts';

export type Cell = string | number;

/** RFC 4180. A name that a spreadsheet would take for a formula gets an apostrophe, as names come from the network. */
export function csv(rows: Cell[][]): string {
  return rows.map((row) => row.map(cell).join(',') + '\r\n').join('');
}

function cell(value: Cell): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A row for each point of each line, the period before with its own times. By more than one dimension it has a column for each, too;
 * they are empty where there is no such name.
 */
export function seriesRows(answer: SeriesAnswer, dimensions: readonly string[] = []): Cell[][] {
  const more = dimensions.length > 1 ? dimensions : [];
  const parts = (name: string): string[] => partsOf(name, more.length) ?? [];
  const from = Date.parse(answer.from);
  const rows = (lines: SeriesAnswer['lines'], begin: number): Cell[][] =>
    lines.flatMap(({ name, values }) =>
      values.map((value, at) => [
        new Date(begin + at * answer.step_s * 1000).toISOString(),
        answer.step_s,
        name,
        ...more.map((_, part) => parts(name)[part] ?? ''),
        value,
      ]),
    );
  const length = (answer.lines[0]?.values.length ?? 0) * answer.step_s * 1000;
  return [
    ['from', 'seconds', 'name', ...more, answer.by],
    ...rows(answer.previous ?? [], from - length),
    ...rows(answer.lines, from),
  ];
}

export function topRows(answer: TopRow[], dimensions: readonly string[] = []): Cell[][] {
  const more = dimensions.length > 1 ? dimensions : [];
  const head = ['name', ...more, 'octets', 'packets', 'flows', 'clients'];
  const cells = ({ name, parts, octets, packets, flows, clients }: TopRow): Cell[] => [
    ...[name, ...more.map((_, part) => parts?.[part] ?? '')],
    ...[octets, packets, flows, clients],
  ];
  return [head, ...answer.map(cells)];
}

/** Gives the browser a file to keep. */
export function save(name: string, type: string, content: string | ArrayBuffer): void {
  saveBlob(name, new Blob([content], { type }));
}

export function saveBlob(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser has taken hold of it by then.
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 1000);
}
