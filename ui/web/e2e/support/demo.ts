/** The demo that all files share: it is started before them, and has its history by the time that somebody waits for it. */

import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import type { Recorded, TopRow } from '../../src/lib/api/schema';
import type { Things } from './pages';
import { Server } from './server';
import { until } from './until';

/** A debug build reads the history on a busy machine. */
const HISTORY_MS = 480_000;

declare module 'vitest' {
  export interface ProvidedContext {
    demo: { url: string; udp: number };
  }
}

/** Vitest calls this before all tests, and what it returns after them. */
export default async function start(project: TestProject): Promise<() => Promise<void>> {
  // Its incident was 25 minutes ago, and its recording begins three minutes before; pictures show what was before that, too.
  const history = process.env['FLOWREEL_PICTURES'] ? '2h' : '30m';
  const server = await Server.start('demo', '', ['--history', history]);
  project.provide('demo', { url: server.url, udp: server.udp });
  return () => server.stop();
}

/** The demo, with its history and the recording of its incident. */
export async function demo(): Promise<Server> {
  const server = Server.at(inject('demo'));
  const isThere = async () => (await server.get<Recorded[]>('/api/v1/recordings')).length > 0;
  await until('the demo has its history', isThere, HISTORY_MS);
  return server;
}

/** What there is to see on it. */
export async function demoThings(server: Server): Promise<Things> {
  const [servers, exporters] = await Promise.all([
    server.get<TopRow[]>('/api/v1/top/servers?last=10m&limit=1'),
    server.get<{ address: string }[]>('/api/v1/exporters'),
  ]);
  return {
    application: 'erp',
    host: servers[0]?.name ?? '',
    exporter: exporters[0]?.address ?? '',
    recording: 'file shares surge',
  };
}
