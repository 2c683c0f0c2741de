/** The rows of a file as Parquet, for notebooks and databases. */

import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import type { Cell } from './download';

/** Columns by the names of the first row. Numbers that are all whole are integers; `from` is an instant. */
export function parquet([head = [], ...rows]: Cell[][]): ArrayBuffer {
  const columns = head.map((name, at) => {
    const cells = rows.map((row) => row[at] ?? '');
    return column(String(name), cells);
  });
  return parquetWriteBuffer({ columnData: columns });
}

function column(name: string, cells: Cell[]): ColumnSource {
  const nullable = false;
  if (name === 'from') {
    return { name, data: cells.map((cell) => new Date(cell)), type: 'TIMESTAMP', nullable };
  }
  const numbers = cells.filter((cell) => typeof cell === 'number');
  if (numbers.length === 0 || numbers.length < cells.length) {
    return { name, data: cells.map(String), type: 'STRING', nullable };
  }
  return numbers.every(Number.isSafeInteger)
    ? { name, data: numbers.map(BigInt), type: 'INT64', nullable }
    : { name, data: numbers, type: 'DOUBLE', nullable };
}
