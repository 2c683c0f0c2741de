/** Every page of the demo. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';
import { launch, open, type Watched } from './support/browser';
import { demo, demoThings } from './support/demo';
import { lookAt, paths, type Things } from './support/pages';
import type { Server } from './support/server';

let browser: Browser;
let server: Server;
let things: Things;
let watched: Watched;

beforeAll(async () => {
  [server, browser] = await Promise.all([demo(), launch()]);
  things = await demoThings(server);
  watched = await open(browser);
});
afterAll(() => browser.close());

for (const page of Object.keys(paths({ application: '', host: '', exporter: '', recording: '' }))) {
  test(page, () => lookAt(watched, server.url + (paths(things)[page] ?? '')));
}
