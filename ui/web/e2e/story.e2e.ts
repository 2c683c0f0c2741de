/** What this product is for, from end to end: an engineer sees a burst, goes back, records it, replays it, hands it on. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Recorded, Rules, TopRow } from '../src/lib/api/schema';
import { amount, text } from '../src/lib/units';
import { go, launch, open, row, rows, rowWith, settled, type Watched } from './support/browser';
import { demo } from './support/demo';
import { Exporter, type Flow } from './support/exporter';
import { Server } from './support/server';
import { until } from './support/until';

const APPLICATION = 'nightly copy';
const ONLY = `app "${APPLICATION}"`;
const RECORDING = 'copy at noon';
const SERVER = '10.99.0.9';
/** Words of a measure as a page's `innerText` has them. */
const words = (measure: { number: string; unit: string }) => text(measure).replaceAll('\u00a0', ' ');
const plain = (cell: string | undefined) => (cell ?? '').replaceAll('\u00a0', ' ');

/** Three clients copy to one server: 12 flows, 600 MB in 480,000 packets; 5.33 Mbit/s over 15 minutes. */
const copying = (agoS: number): Flow[] =>
  Array.from({ length: 12 }, (_, at) => ({
    ...{ client: `10.98.0.${String(1 + (at % 3))}`, server: SERVER, port: 8730 },
    ...{ octets: 50_000_000, packets: 40_000, agoS, lastedS: 2 },
  }));
const BURST = { octets: 600_000_000, packets: 480_000, flows: 12, clients: 3 };

let first: Server;
let second: Server;
let exporter: Exporter;
let browser: Browser;
let downloads: string;
let engineer: Watched;
/** When the first burst had ended, and when the records of the second one arrived, which were two minutes late. */
let seenAt: number;
let lateAt: number;

beforeAll(async () => {
  [first, second, browser, downloads] = await Promise.all([
    demo(),
    Server.start('serve'),
    launch(),
    mkdtemp(join(tmpdir(), 'flowreel-e2e-file-')),
  ]);
  const rules = await first.get<Rules>('/api/v1/rules/catalog');
  const named = { name: APPLICATION, servers: [`${SERVER}/32`] };
  await first.send('PUT', '/api/v1/rules', { ...rules, application: [...rules.application, named] });
  exporter = new Exporter(first.udp);
  engineer = await open(browser, { acceptDownloads: true });
});

afterAll(async () => {
  await browser.close();
  await Promise.all([second.stop(), rm(downloads, { recursive: true })]);
});

/** One step leads to the next: after one that failed there is nothing to be learned. */
let hasFailed = false;
beforeEach(({ skip, onTestFailed }) => {
  skip(hasFailed, 'a step before it failed');
  onTestFailed(() => {
    hasFailed = true;
  });
});

/** What the API says of the application. */
async function asked(server: Server, query: Record<string, string>): Promise<TopRow | undefined> {
  const parameters = new URLSearchParams({ filter: ONLY, ...query });
  const found = await server.get<TopRow[]>(`/api/v1/top/applications?${parameters.toString()}`);
  expect(found.length).toBeLessThan(2);
  return found[0];
}

/** What all pages show of the time: the address. */
const address = () => new URL(engineer.page.url());
const asOf = () => address().searchParams.get('as_of') ?? '';

test('live traffic moves, once a second', async () => {
  const { page } = engineer;
  await go(engineer, `${first.url}/`);
  await page.getByRole('button', { name: 'Live' }).and(page.locator('[aria-pressed=true]')).waitFor();
  const applications = await rows(page, 'Applications');
  expect(applications.length).toBeGreaterThan(10);
  await until('other numbers are shown', async () => {
    return (await rows(page, 'Applications')).join() !== applications.join();
  });
});

test('a burst is seen live, with the numbers that were sent', async () => {
  const { page } = engineer;
  expect(await row(page, 'Applications', APPLICATION)).toBeUndefined();
  await exporter.send(copying(0));
  const cells = await rowWith(
    page,
    'Applications',
    APPLICATION,
    ([, traffic, , change]) => plain(traffic) === '5.33 Mbit/s' && change === 'new',
  );
  seenAt = Date.now();
  const [, traffic, , change, flows, clients] = cells.map(plain);
  expect(traffic).toBe('5.33 Mbit/s');
  expect([change, flows, clients]).toEqual(['new', '0.01 flows/s', '3']);
  expect(await asked(first, { last: '15m' })).toMatchObject(BURST);
});

test('held, the numbers stand still while traffic goes on', async () => {
  const { page } = engineer;
  await page.keyboard.press('Space');
  await page.waitForURL(/as_of=/);
  await settled(engineer);
  const held = await rows(page, 'Applications');
  await exporter.send(copying(120));
  await until('the late burst is stored', async () => (await asked(first, { last: '15m' }))?.flows === 24);
  lateAt = Date.now();
  expect(await rows(page, 'Applications')).toEqual(held);
});

test('dragging back shows a frame, and before the burst there is none', async () => {
  const { page } = engineer;
  const timeline = page.getByRole('slider', { name: 'Time that is shown' });
  const box = (await timeline.boundingBox()) ?? expect.unreachable();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.95, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, y, { steps: 5 });
  await timeline.locator('output').waitFor();
  await until('the frame has no burst', async () => !(await row(page, 'Applications', APPLICATION)));
  expect((await rows(page, 'Applications')).length).toBeGreaterThan(5);
  await page.mouse.up();
  await until('the address says where', () => asOf() !== '' && Date.parse(asOf()) < seenAt - 180_000);
});

test('the last ten minutes are recorded', async () => {
  const { page } = engineer;
  await page.keyboard.press('r');
  const dialog = page.getByRole('dialog', { name: 'Record' });
  await dialog.getByLabel('Name', { exact: true }).fill(RECORDING);
  await dialog.getByLabel('the last').check();
  await dialog.getByRole('button', { name: 'Record' }).click();
  await page.getByText(`“${RECORDING}” is recorded.`).waitFor();
  await page.getByRole('link', { name: 'Open it' }).click();
  await page.getByRole('heading', { name: RECORDING }).waitFor();
  await settled(engineer);
  const recorded = await first.get<Recorded>(`/api/v1/recordings/${encodeURIComponent(RECORDING)}`);
  const lasts = Date.parse(recorded.to) - Date.parse(recorded.from);
  expect(lasts / 60_000).toBeCloseTo(10, 1);
  // The last ones are still being stored.
  await until('the page says how many there are', async () => {
    const { counts } = await first.get<Recorded>(`/api/v1/recordings/${encodeURIComponent(RECORDING)}`);
    const text = `${counts?.flows.toLocaleString('en')} flow records`;
    return (await page.getByText(text).count()) > 0;
  });
  // Both bursts, as both arrived in these ten minutes.
  const cells = await rowWith(page, 'Applications', APPLICATION, (cells) => cells[4] === '24');
  expect(cells.slice(2, 6).map(plain)).toEqual([words(amount(1_200_000_000)), '960,000', '24', '3']);
  expect(await asked(first, { recording: RECORDING })).toMatchObject({ octets: 1_200_000_000, flows: 24 });
});

test('it plays at ten times the speed: time moves, and what is shown changes', async () => {
  const { page } = engineer;
  await page.getByLabel('Speed').selectOption('10');
  await page.getByRole('group', { name: 'Player' }).waitFor();
  const time = page.getByRole('region', { name: 'Clock' }).locator('time');
  const now = async () => Date.parse((await time.getAttribute('datetime')) ?? '');
  await page.locator('main').getByRole('button', { name: 'Play', exact: true }).click();
  const recorded = await first.get<Recorded>(`/api/v1/recordings/${encodeURIComponent(RECORDING)}`);
  const begin = Date.parse(recorded.from);
  await until('it plays from its beginning', async () => (await now()) < begin + 120_000);
  const [from, watch] = [await now(), performance.now()];
  const frames = new Set<string>();
  await until('a minute of it has passed, in several frames', async () => {
    frames.add((await rows(page, 'Applications')).join());
    return (await now()) > from + 60_000 && frames.size > 3;
  });
  const speed = ((await now()) - from) / (performance.now() - watch);
  expect(speed).toBeGreaterThan(5);
  expect(speed).toBeLessThan(20);

  const timeline = page.getByRole('slider', { name: 'Time that is shown' });
  const box = (await timeline.boundingBox()) ?? expect.unreachable();
  await page.mouse.click(box.x + box.width * 0.75, box.y + box.height / 2);
  await until('it has jumped, and plays on', async () => (await now()) > begin + 7.5 * 60_000 + 5000);
  await page.keyboard.press('Space');
  await until('it is held where it was', () => Date.parse(asOf()) > begin + 7.5 * 60_000);
});

test('as it looked then and as finally known differ by what came late', async () => {
  const { page } = engineer;
  // A minute ago of the first burst: the late flows had ended by then, and nobody knew.
  const moment = new Date(seenAt - 60_000).toISOString();
  const path = `/recordings/${encodeURIComponent(RECORDING)}?last=2m&as_of=${moment}`;
  await go(engineer, first.url + path);
  const cells = await rowWith(page, 'Applications', APPLICATION, (cells) => cells[4] === '12');
  expect(plain(cells[2])).toBe(words(amount(BURST.octets)));
  await page.getByRole('button', { name: 'as it looked then' }).click();
  await until('it was not known then', async () => !(await row(page, 'Applications', APPLICATION)));
  expect(address().searchParams.get('known')).toBe('then');
  const question = { recording: RECORDING, last: '2m', as_of: moment };
  expect(await asked(first, question)).toMatchObject(BURST);
  expect(await asked(first, { ...question, known_at: 'as_of' })).toBeUndefined();
  expect(lateAt - seenAt).toBeLessThan(120_000);
  await page.getByRole('button', { name: 'as finally known' }).click();
  await rowWith(page, 'Applications', APPLICATION, (cells) => cells[4] === '12');
});

test('a wrong filter says its column, a right one narrows', async () => {
  const { page, wrong } = engineer;
  const box = page.getByRole('combobox', { name: 'Filter' });
  await box.fill(`${ONLY} and prt 8730`);
  await page.getByRole('button', { name: 'Apply' }).click();
  const alert = page.locator('#filter-wrong');
  await alert.waitFor();
  const column = `${ONLY} and `.length + 1;
  expect(await alert.innerText()).toContain(
    `Column ${String(column)}: 'prt' is not a condition; did you mean 'port'?`,
  );
  expect(await box.getAttribute('aria-invalid')).toBe('true');
  const caret = (await alert.locator('.caret').getAttribute('style')) ?? '';
  expect(caret).toContain(`${String(column - 1)}ch`);
  expect(address().searchParams.has('filter')).toBe(false);
  // The browser says of itself that it was refused.
  expect(wrong.splice(0).every((it) => it.includes('status of 400'))).toBe(true);

  await box.fill(ONLY);
  await box.press('Enter');
  await page.waitForURL(/filter=/);
  await until('nothing else is shown', async () => (await rows(page, 'Applications')).length === 1);
  await settled(engineer);
  expect((await rows(page, 'Servers')).length).toBe(1);
  expect((await rows(page, 'Clients')).length).toBe(3);
  await page.getByRole('button', { name: 'Remove the filter' }).click();
  await until('all is shown', async () => (await rows(page, 'Applications')).length > 5);
});

test('steps, back and forward, and a pasted link give the same view', async () => {
  const { page } = engineer;
  const shown = async () => {
    await settled(engineer);
    return [await rows(page, 'Applications'), await rows(page, 'Servers'), await rows(page, 'Clients')];
  };
  const [path, before] = [page.url(), await shown()];
  await page.locator('body').press('ArrowRight');
  // A thirtieth of two minutes.
  await until('it has gone a step', () => page.url() !== path);
  expect(Date.parse(asOf())).toBe(seenAt - 60_000 + 4000);
  await page.locator('body').press('ArrowLeft');
  await until('it has gone back a step', () => page.url() === path);
  await until('it shows the same', async () => JSON.stringify(await shown()) === JSON.stringify(before));

  await page.getByRole('button', { name: 'as it looked then' }).click();
  await page.waitForURL(/known=then/);
  await until('something else', async () => JSON.stringify(await shown()) !== JSON.stringify(before));
  const then = await shown();
  await page.goBack();
  await until('back', async () => JSON.stringify(await shown()) === JSON.stringify(before));
  await page.goForward();
  await until('forward', async () => JSON.stringify(await shown()) === JSON.stringify(then));

  const other = await open(browser);
  await go(other, page.url());
  for (const [at, table] of ['Applications', 'Servers', 'Clients'].entries()) {
    expect(await rows(other.page, table)).toEqual(then[at]);
  }
  expect(other.wrong).toEqual([]);
  await other.page.context().close();
});

test('shared as a file and dropped on a second server, it has the same numbers', async () => {
  const { page } = engineer;
  const path = `/recordings/${encodeURIComponent(RECORDING)}`;
  await go(engineer, first.url + path);
  await page.getByRole('button', { name: 'Share …' }).click();
  const coming = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save the file' }).click();
  const download = await coming;
  expect(download.suggestedFilename()).toBe(`${RECORDING}.reel`);
  const file = join(downloads, download.suggestedFilename());
  await download.saveAs(file);

  const colleague = await open(browser);
  const there = colleague.page;
  await go(colleague, `${second.url}/recordings`);
  await there.getByText('Nothing is recorded yet').waitFor();
  const octets = (await readFile(file)).toString('base64');
  const dropped = await there.evaluateHandle(
    async ([octets, name]) => {
      const data = new DataTransfer();
      const bytes = Uint8Array.from(atob(octets ?? ''), (it) => it.charCodeAt(0));
      data.items.add(new File([bytes], name ?? ''));
      return data;
    },
    [octets, download.suggestedFilename()],
  );
  await there.dispatchEvent('main', 'dragover', { dataTransfer: dropped });
  await there.getByText('Drop the file to import it').waitFor();
  await there.dispatchEvent('main', 'drop', { dataTransfer: dropped });
  await there.getByText(`“${RECORDING}” is here.`).waitFor();
  await there.getByRole('link', { name: 'Open it' }).click();
  await there.getByRole('heading', { name: RECORDING }).waitFor();

  const [ours, theirs] = await Promise.all(
    [first, second].map((it) => it.get<Recorded>(`/api/v1/${path}`.replace('//', '/'))),
  );
  const { datagrams, flows, exporters } = ours?.counts ?? expect.unreachable();
  expect(theirs).toMatchObject({
    id: ours?.id,
    from: ours?.from,
    to: ours?.to,
    counts: { datagrams, flows, exporters },
  });
  const moment = new Date(seenAt - 60_000).toISOString();
  for (const query of ['', `?last=2m&as_of=${moment}`, `?last=2m&as_of=${moment}&known=then`]) {
    await Promise.all([go(engineer, first.url + path + query), go(colleague, second.url + path + query)]);
    for (const table of ['Applications', 'Servers', 'Clients']) {
      const shown = await rows(page, table);
      expect(shown.length).toBeGreaterThan(3);
      expect(await rows(there, table)).toEqual(shown);
    }
  }
  for (const dimension of ['applications', 'sites', 'exporters', 'conversations']) {
    const route = `/api/v1/top/${dimension}?recording=${encodeURIComponent(RECORDING)}&limit=200`;
    expect(await second.get(route)).toEqual(await first.get(route));
  }
  expect(colleague.wrong).toEqual([]);
});

test('nothing went wrong on the way', () => {
  expect(engineer.wrong).toEqual([]);
});
