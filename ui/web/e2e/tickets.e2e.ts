/** From a press on a phone to a closed ticket: who reports, and who works on it, at the same time. */

import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Opened, Ticket, TopRow } from '../src/lib/api/schema';
import { go, launch, open, settled, type Watched } from './support/browser';
import { Exporter } from './support/exporter';
import { lookAt } from './support/pages';
import { Server } from './support/server';
import { until } from './support/until';

const PASSWORD = 'correct horse battery';
const PHONE = { width: 360, height: 740 };
/** Where browsers are, and the servers that flows of there go to. */
const HOST = '127.0.0.1';
const SERVERS = ['10.99.0.9', '10.99.0.10'];

let server: Server;
let browser: Browser;
let user: Watched;
let desk: Watched;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start('serve', '', [], 'required'), launch()]);
  const operated = await open(browser);
  await operated.page.goto(server.link);
  await operated.page.getByLabel('Name').fill('anna');
  await operated.page.getByLabel('New password').fill(PASSWORD);
  await operated.page.getByLabel('The same again').fill(PASSWORD);
  await operated.page.getByRole('button', { name: 'Make the account' }).click();
  await operated.page.waitForURL(`${server.url}/`);
  await operated.page.context().close();
  for (const [name, role] of [
    ['uma', 'end_user'],
    ['hal', 'help_desk'],
  ]) {
    await server.send('POST', '/api/v1/accounts', { name, role, password: PASSWORD });
  }
  const flow = { client: HOST, agoS: 5, lastedS: 20, packets: 1000 };
  await new Exporter(server.udp).send([
    { ...flow, server: SERVERS[0] ?? '', octets: 3_000_000, port: 443 },
    { ...flow, server: SERVERS[1] ?? '', octets: 1_000_000, port: 3306 },
  ]);
  await until('the flows are stored', async () => {
    const found = await server.get<TopRow[]>('/api/v1/top/applications?last=15m');
    return found.length === 2;
  });
  [user, desk] = await Promise.all([open(browser, { viewport: PHONE }), open(browser)]);
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** One step leads to the next: after one that failed there is nothing to be learned. */
let hasFailed = false;
beforeEach(({ skip, onTestFailed }) => {
  skip(hasFailed, 'a step before it failed');
  onTestFailed(() => {
    hasFailed = true;
  });
});

async function signIn(page: Page, name: string): Promise<void> {
  await page.goto(`${server.url}/`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** Nobody is known before they have signed on, which a browser writes down as an error. */
const wrongly = ({ wrong }: Watched) => wrong.splice(0).filter((it) => !it.includes('status of 401'));

test('an end user comes to the button, and the help desk to an empty queue', async () => {
  await signIn(user.page, 'uma');
  await user.page.getByRole('heading', { name: 'What is slow?' }).waitFor();
  expect(new URL(user.page.url()).pathname).toBe('/report');
  await signIn(desk.page, 'hal');
  await desk.page.getByText('Nobody waits.').waitFor();
  expect(new URL(desk.page.url()).pathname).toBe('/queue');
  await Promise.all([settled(user), settled(desk)]);
  expect([...wrongly(user), ...wrongly(desk)]).toEqual([]);
});

test('a press on a phone is a ticket, and the queue has it at once', async () => {
  const { page } = user;
  // What they use comes first, largest first.
  const choices = page.getByRole('radio');
  expect(await choices.count()).toBe(3);
  expect(await choices.nth(0).getAttribute('value')).toBe('https');
  await choices.nth(1).check();
  await page.getByLabel('Anything to add?').fill('orders take\nminutes <b>today</b>');
  const button = page.getByRole('button', { name: 'It is slow' });
  // Two presses in a row are one.
  await button.dblclick();
  await page.getByRole('heading', { name: 'Thank you. This is ticket 1.' }).waitFor();
  await desk.page.getByRole('link', { name: `is slow at ${HOST}` }).waitFor();
  await desk.page.getByText('orders take').waitFor();
  const all = await server.get<Ticket[]>('/api/v1/tickets');
  expect(all).toHaveLength(1);
  expect(all[0]).toMatchObject({ number: 1, reporter: 'uma', host: HOST, state: 'open' });
  await page.getByRole('link', { name: 'See what becomes of it' }).click();
  await page.getByRole('heading', { name: /^Ticket 1/ }).waitFor();
});

test('the story and the picture come by themselves', async () => {
  const { page } = desk;
  await page.getByRole('link', { name: `is slow at ${HOST}` }).click();
  await page.getByText('They themselves').first().waitFor();
  const picture = page.getByRole('img', { name: `Traffic of ${HOST}` });
  await until('the picture is drawn', () =>
    picture.evaluate((image) => (image as HTMLImageElement).naturalWidth > 0),
  );
  const { story, recording } = await server.get<Opened>('/api/v1/tickets/1');
  const sentence = story?.applications[0]?.themselves.sentence ?? expect.unreachable();
  await page.getByText(sentence).first().waitFor();
  expect(recording).toBe('ticket 1');
  // 3 MB in ten minutes are 5 kB/s.
  await page.locator('summary').first().click();
  const first = page.getByRole('region', { name: 'Numbers: They themselves' }).first();
  expect(await first.getByRole('row').nth(1).innerText()).toMatch(/5\.00\skB\/s/);
});

test('taken, answered, escalated: the user is told while the page is open', async () => {
  const { page } = desk;
  await page.getByRole('button', { name: 'Take it' }).click();
  await user.page.getByText('hal works on it').waitFor();
  await page.getByLabel('A word to whoever reported it').fill('we look into it');
  await page.getByRole('button', { name: 'Write', exact: true }).click();
  await user.page.getByText('we look into it').waitFor();
  await user.page.getByLabel('A word to the help desk').fill('thanks');
  await user.page.getByRole('button', { name: 'Write', exact: true }).click();
  await page.getByText('thanks', { exact: true }).waitFor();
  expect(await user.page.getByRole('button', { name: 'Take it' }).count()).toBe(0);
  await page.getByRole('button', { name: 'To an engineer' }).click();
  await page.getByRole('button', { name: 'Do it' }).click();
  await user.page.getByText('with an engineer').waitFor();
});

test('one click replays the moment of the press', async () => {
  const { page } = desk;
  const { ticket } = await server.get<Opened>('/api/v1/tickets/1');
  await page.getByRole('link', { name: 'Replay this moment' }).click();
  await page.getByRole('heading', { name: 'ticket 1' }).waitFor();
  const query = new URL(page.url()).searchParams;
  expect(Date.parse(query.get('as_of') ?? '')).toBe(Math.floor(Date.parse(ticket.pressed_at)));
  expect(query.get('known')).toBe('then');
  await until('it shows what was', async () =>
    (await page.locator('main').innerText()).includes(SERVERS[0] ?? ''),
  );
  await page.goBack();
});

test('closed for a reason, which the user sees, and can be reported again', async () => {
  const { page } = desk;
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByLabel('Why it is over').fill('a cable');
  await page.getByRole('button', { name: 'Do it' }).click();
  await user.page.getByText('Closed: a cable').waitFor();
  expect([...wrongly(user), ...wrongly(desk)]).toEqual([]);
});

test('whoever presses too often is asked to wait, in friendly words', async () => {
  const { page } = user;
  const again = async () => {
    await go(user, `${server.url}/report`);
    await page.getByRole('button', { name: 'It is slow' }).click();
  };
  for (const number of [2, 3]) {
    await again();
    await page.getByRole('heading', { name: `This is ticket ${String(number)}.` }).waitFor();
  }
  await again();
  await page.getByRole('alert').waitFor();
  expect(await page.getByRole('alert').innerText()).toMatch(/\d/);
  expect(await server.get<Ticket[]>('/api/v1/tickets')).toHaveLength(3);
  user.wrong.length = 0;
});

test('a press whose answer is lost is looked for, and found', async () => {
  const { page } = desk;
  await go(desk, `${server.url}/report`);
  const lost = async (route: Route) => {
    // The server has it, and the line breaks.
    await route.fetch();
    await route.abort();
  };
  await page.route('**/api/v1/tickets', lost, { times: 1 });
  await page.getByRole('button', { name: 'It is slow' }).click();
  await page.getByRole('heading', { name: 'This is ticket 4.' }).waitFor();
  expect(await server.get<Ticket[]>('/api/v1/tickets')).toHaveLength(4);
  desk.wrong.length = 0;
});

test('the pages in both themes, and on a phone', async () => {
  for (const path of ['/queue?state=all', '/tickets/1', '/report']) await lookAt(desk, server.url + path);
  for (const path of ['/report', '/tickets/1', '/tickets/99']) {
    await lookAt(user, server.url + path, { allowed: (message) => message.includes('status of 404') });
  }
});
