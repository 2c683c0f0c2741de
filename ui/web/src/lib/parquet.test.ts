import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { seriesRows, topRows } from './download';
import { parquet } from './parquet';

/** What DuckDB reads in a file. */
function read(content: ArrayBuffer): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'parquet-'));
  try {
    const file = join(folder, 'file.parquet');
    writeFileSync(file, Buffer.from(content));
    const tools = process.env['FLOWREEL_TOOLS_DIR'] ?? join(homedir(), '.cache/flowreel/tools');
    const question = `SELECT *, typeof(COLUMNS(*)) FROM '${file}'`;
    const said = execFileSync('node', [join(tools, 'readers/question.mjs'), question], { encoding: 'utf8' });
    return JSON.parse(said);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('Parquet', () => {
  it('has the largest groups with their numbers', () => {
    const row = { name: '=1+1 "x", ✓', octets: 2 ** 52, packets: 2, flows: 3, clients: 0 };
    expect(read(parquet(topRows([row])))).toEqual([
      {
        name: '=1+1 "x", ✓',
        octets: '4503599627370496',
        packets: '2',
        flows: '3',
        clients: '0',
        'name:1': 'VARCHAR',
        'octets:1': 'BIGINT',
        'packets:1': 'BIGINT',
        'flows:1': 'BIGINT',
        'clients:1': 'BIGINT',
      },
    ]);
  });

  it('has points with their times', () => {
    const lines = [{ name: 'a', values: [1.5, 2] }];
    const answer = { from: '2026-03-02T09:00:00.000Z', step_s: 60, by: 'octets' as const, lines };
    const rows = read(parquet(seriesRows(answer))) as Record<string, unknown>[];
    expect(rows.map((row) => [row['from'], row['octets']])).toEqual([
      ['2026-03-02 09:00:00', 1.5],
      ['2026-03-02 09:01:00', 2],
    ]);
    expect(rows[0]).toMatchObject({ 'from:1': 'TIMESTAMP', 'octets:1': 'DOUBLE' });
  });

  it('has nothing where nothing is', () => {
    expect(read(parquet(topRows([])))).toEqual([]);
  });
});
