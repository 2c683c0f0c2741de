/** Every page, on servers that are empty, without a store, and full of names that want to do harm. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TopRow } from '../src/lib/api/schema';
import { launch, open, settled, type Watched } from './support/browser';
import { Exporter } from './support/exporter';
import { lookAt, paths, type Things } from './support/pages';
import { Server } from './support/server';
import { until } from './support/until';

let browser: Browser;
let watched: Watched;
beforeAll(async () => {
  browser = await launch();
  watched = await open(browser);
});
afterAll(() => browser.close());

describe('on an empty server', () => {
  const nowhere = { application: 'orders', host: '10.1.1.1', exporter: '10.1.1.2', recording: 'friday' };
  let server: Server;
  beforeAll(async () => {
    server = await Server.start('serve');
  });
  afterAll(() => server.stop());

  /** What is not there is a 404, which the browser writes down as well. */
  const missing = (message: string) => message.includes('status of 404') && message.includes('friday');

  for (const [name, path] of Object.entries(paths(nowhere))) {
    test(name, () => lookAt(watched, server.url + path, { allowed: missing }));
  }

  test('it says how to fill it', async () => {
    const { page } = watched;
    await page.goto(server.url);
    await page.getByRole('heading', { name: 'No flows have come yet' }).waitFor();
    await page
      .getByText(`127.0.0.1:${String(server.udp)}`)
      .first()
      .waitFor();
  });
});

describe('with names that want to do harm', () => {
  /** Markup, a formula, controls, a change of direction, and more than anybody reads. */
  const MARKUP = '<img src=x onerror=alert(1)><script>alert(2)</script>"\'&amp;{{3}}';
  const MOVING = '\u202egnp.exe\u202c \u2066x\u200b\u200fy';
  /** As long as names may be, in wide letters without a place to break. */
  const LONG = 'mW'.repeat(100);
  /** What no name may have, but an address that somebody pastes can. */
  const CONTROLS = '\u0007\u001b[31mred\u0000\u009b';
  const KIBIBYTE = `long ${'mW'.repeat(509)}`;
  const RECORDING = `${MARKUP} ${'W'.repeat(200 - MARKUP.length - 1)}`;
  const things: Things = {
    application: MARKUP,
    host: '10.98.0.1',
    exporter: '127.0.0.1',
    recording: RECORDING,
  };
  const names = [MARKUP, MOVING, LONG];
  let server: Server;

  beforeAll(async () => {
    server = await Server.start('serve');
    const at = (index: number) => `10.99.${String(index)}.0/24`;
    await server.send('PUT', '/api/v1/rules', {
      application: names.map((name, index) => ({ name, servers: [at(index)] })),
      site: names.map((name, index) => ({ name, subnets: [at(index), `10.98.${String(index)}.0/24`] })),
      exporter: [
        {
          address: '127.0.0.1',
          name: LONG,
          interfaces: names.map((name, index) => ({ index: index + 1, name })),
        },
      ],
    });
    const exporter = new Exporter(server.udp);
    await exporter.send(
      names.flatMap((_, index) =>
        Array.from({ length: 6 }, (_, client) => ({
          client: `10.98.${String(client % 3)}.1`,
          server: `10.99.${String(index)}.9`,
          ...{ port: 443, octets: 1_000_000 * (index + 1), packets: 1000, agoS: 5 * client },
          interfaces: [index + 1, ((index + 1) % 3) + 1] as [number, number],
        })),
      ),
    );
    await until('the flows are stored', async () => {
      const found = await server.get<TopRow[]>('/api/v1/top/applications?last=15m');
      return found.reduce((sum, row) => sum + row.flows, 0) === 18;
    });
    const to = new Date().toISOString();
    const from = new Date(Date.now() - 600_000).toISOString();
    await server.send('POST', '/api/v1/recordings', { name: RECORDING, from, to, filter: '' });
    const note = { at: to, text: MARKUP + MOVING };
    await server.send('POST', `/api/v1/recordings/${encodeURIComponent(RECORDING)}/notes`, note);
  });
  afterAll(() => server.stop());

  /** Nothing that a name brought along became part of the page, and nothing in it is at work unseen. */
  async function isHarmless(page: Page): Promise<void> {
    const found = await page.evaluate(() => ({
      injected: document.querySelectorAll('img, main script, [onerror]').length,
      // eslint-disable-next-line no-control-regex -- these are what must not be there
      unseen: /[\u0000-\u0008\u000e-\u001f\u202a-\u202e\u2066-\u2069\u200b]/.exec(document.body.innerText)
        ?.index,
      title: document.title,
    }));
    expect.soft(found.injected, 'injected elements').toBe(0);
    expect.soft(found.unseen, 'a character at work').toBeUndefined();
    // eslint-disable-next-line no-control-regex -- as above
    expect.soft(found.title).not.toMatch(/[\u0000-\u001f\u202a-\u202e\u2066-\u2069]/);
  }

  const all = {
    ...paths(things),
    'application that moves others': `/applications/${encodeURIComponent(MOVING)}`,
    'application that is long': `/applications/${encodeURIComponent(LONG)}`,
    'application of 1 KiB': `/applications/${encodeURIComponent(KIBIBYTE)}`,
    'application of controls': `/applications/${encodeURIComponent(CONTROLS)}`,
    'recordings that are looked for': `/recordings?find=${encodeURIComponent(CONTROLS + KIBIBYTE)}`,
    'table of sites': '/explore?view=table&group=sites',
    'table of interfaces': '/explore?view=table&group=interfaces',
    'filter that is one': `/?filter=${encodeURIComponent(`app ${JSON.stringify(MARKUP)}`)}`,
  };
  for (const [name, path] of Object.entries(all)) {
    test(name, () => lookAt(watched, server.url + path, { more: isHarmless }));
  }

  test('a name with control characters, or of 1 KiB, is refused', async () => {
    for (const name of [CONTROLS, KIBIBYTE]) {
      const rules = { application: [{ name, servers: ['10.99.9.0/24'] }] };
      await expect(server.send('PUT', '/api/v1/rules', rules)).rejects.toThrow('400');
      const cut = { name, from: new Date(Date.now() - 60_000).toISOString(), filter: '' };
      await expect(server.send('POST', '/api/v1/recordings', cut)).rejects.toThrow('400');
    }
  });

  test('the names are there, every character of them seen', async () => {
    const { page } = watched;
    await page.goto(`${server.url}/explore?view=table`);
    await page.getByText(MARKUP, { exact: true }).first().waitFor();
    await page.getByText('⟨202E⟩gnp.exe⟨202C⟩ ⟨2066⟩x⟨200B⟩⟨200F⟩y').first().waitFor();
    await page.goto(`${server.url}/applications/${encodeURIComponent(CONTROLS)}`);
    await page.getByText('␇␛[31mred␀⟨009B⟩').first().waitFor();
  });
});

describe('without a store', () => {
  const things = { application: 'orders', host: '10.1.1.1', exporter: '127.0.0.1', recording: 'friday' };
  /** Nobody listens on port 1, which IANA gave to tcpmux. */
  const config = '[store]\nengine = "clickhouse"\nurl = "http://127.0.0.1:1"\n';
  let server: Server;
  beforeAll(async () => {
    server = await Server.start('serve', config);
  });
  afterAll(() => server.stop());

  const refused = (message: string) => /status of (503|404)/.test(message);
  for (const [name, path] of Object.entries(paths(things))) {
    test(name, () => lookAt(watched, server.url + path, { allowed: refused }));
  }

  test('it says so, and what becomes of what arrives', async () => {
    const { page } = watched;
    await page.goto(server.url);
    await page.getByText('The store is not ready').waitFor();
    await page.getByText('Arriving flows are kept on tape').first().waitFor();
    await settled(watched);
  });
});
