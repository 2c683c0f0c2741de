/** The pictures of the docs, of the demo, in both themes: `make pictures`. */

import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Exporter, Recorded } from '../src/lib/api/schema';
import { launch, go, open, settled, type Watched } from './support/browser';
import { demo, demoThings } from './support/demo';
import type { Things } from './support/pages';
import type { Server } from './support/server';
import { until } from './support/until';

const FOLDER = resolve(import.meta.dirname, '../../../docs/pictures');
const THEMES = ['light', 'dark'] as const;
/** The recording whose surge is shown, and a minute in the midst of it. */
const MIDST_MS = 6 * 60_000;

/** Further recordings, so that there is a list of them: name, filter, minutes from the incident's first one. */
const OTHERS: [string, string, number, number][] = [
  ['branch 2 on Monday', 'site "branch 2"', -50, -20],
  ['erp was slow', 'app "erp"', -32, -17],
];

/** What stands in each picture; `moment` is in the midst of the incident. */
const PICTURES: Record<string, (things: Things, moment: string) => string> = {
  overview: () => '/?last=1h',
  application: ({ application }) => `/applications/${encodeURIComponent(application)}?last=1h`,
  explore: () => '/explore?group=sites&last=1h&previous=1',
  host: ({ host }) => `/hosts/${host}?last=1h`,
  exporters: () => '/exporters',
  exporter: ({ exporter }) => `/exporters/${exporter}?last=1h`,
  recordings: () => '/recordings',
  recording: ({ recording }, moment) =>
    `/recordings/${encodeURIComponent(recording)}?last=2m&as_of=${moment}`,
  compare: ({ recording }) => `/compare?a_shift=none&b_recording=${encodeURIComponent(recording)}`,
  settings: () => '/settings/applications',
};

/** An exporter with templates that has something to be mended. */
async function limited(server: Server): Promise<string> {
  const exporters = await server.get<Exporter[]>('/api/v1/exporters');
  const found = exporters.find(({ hints, templates }) => hints.length > 0 && templates.length > 0);
  return found?.address ?? expect.unreachable();
}

describe.runIf(process.env['FLOWREEL_PICTURES'])('pictures', () => {
  let browser: Browser;
  let server: Server;
  let things: Things;
  let moment: string;
  let watched: Watched;

  beforeAll(async () => {
    [server, browser] = await Promise.all([demo(), launch(), mkdir(FOLDER, { recursive: true })]);
    const exporter = await limited(server);
    things = { ...(await demoThings(server)), application: 'file shares', exporter };
    const route = `/api/v1/recordings/${encodeURIComponent(things.recording)}`;
    const { from } = await server.get<Recorded>(route);
    const at = (ms: number) => new Date(Date.parse(from) + ms).toISOString();
    moment = at(MIDST_MS);
    for (const [name, filter, from, to] of OTHERS) {
      const cut = { name, filter, from: at(60_000 * from), to: at(60_000 * to) };
      await server.send('POST', '/api/v1/recordings', cut);
    }
    watched = await open(browser, { timezoneId: 'UTC' });
  });
  afterAll(() => browser.close());

  for (const [name, path] of Object.entries(PICTURES)) {
    test(name, async () => {
      const { page, wrong } = watched;
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
        await go(watched, server.url + path(things, moment));
        await settled(watched);
        await until('everything is drawn', () =>
          page.evaluate(() => document.getAnimations().every(({ playState }) => playState !== 'running')),
        );
        await page.screenshot({ path: join(FOLDER, `${name}-${theme}.png`) });
      }
      expect(wrong).toEqual([]);
    });
  }
});
