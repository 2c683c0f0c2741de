/** People sign on: from the first link to somebody who sees a part, and what each page says to whom. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Account, Entry, TopRow } from '../src/lib/api/schema';
import { barriers, go, launch, open, row, rows, settled, type Watched } from './support/browser';
import { Exporter } from './support/exporter';
import { lookAt } from './support/pages';
import { Server } from './support/server';
import { until } from './support/until';

const PASSWORD = 'correct horse battery';
/** Whose flows the help desk sees here. */
const SCOPE = 'client net 10.98.1.0/24';

let server: Server;
let browser: Browser;
let admin: Watched;
let desk: Watched;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start('serve', '', [], 'required'), launch()]);
  [admin, desk] = await Promise.all([open(browser), open(browser)]);
  const flow = { server: '10.99.0.9', octets: 1_000_000, packets: 1000, agoS: 5 };
  await new Exporter(server.udp).send([
    { ...flow, client: '10.98.1.1', port: 443 },
    { ...flow, client: '10.98.2.1', port: 3306 },
  ]);
  await until('the flows are stored', async () => {
    const found = await server.get<TopRow[]>('/api/v1/top/applications?last=15m');
    return found.length === 2;
  });
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

/** Nobody is known before they have signed on, which a browser writes down as an error. */
const unknown = (message: string) => message.includes('status of 401');
const wrongly = ({ wrong }: Watched) => wrong.splice(0).filter((it) => !unknown(it));

async function signIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

const menu = (page: Page) => page.getByRole('navigation', { name: 'Pages' }).locator('ul a').allInnerTexts();

test('the way in, for whom nobody knows', async () => {
  await lookAt(admin, `${server.url}/explore?group=sites`, { allowed: unknown });
  await lookAt(admin, `${server.url}/welcome`, { allowed: unknown });
  await lookAt(admin, server.link, { allowed: unknown });
});

test('the first link makes an admin, once, and leaves the address', async () => {
  const { page } = admin;
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto('about:blank');
  await page.goto(server.link);
  await page.getByLabel('Name').fill('anna');
  expect(page.url()).toBe(`${server.url}/welcome`);
  await page.getByLabel('New password').fill(PASSWORD);
  await page.getByLabel('The same again').fill('something else');
  const make = page.getByRole('button', { name: 'Make the account' });
  await make.click();
  await page.getByText('The two passwords differ.').waitFor();
  await page.getByLabel('The same again').fill(PASSWORD);
  await make.click();
  await page.waitForURL(`${server.url}/`);
  await settled(admin);
  expect(await menu(page)).toEqual([
    'Overview',
    'Explore',
    'Exporters',
    'Recordings',
    'Compare',
    'Queue',
    'Report a problem',
    'Settings',
  ]);
  expect(await rows(page, 'Applications')).toHaveLength(2);
  const second = await open(browser);
  await second.page.goto(server.link);
  await second.page.getByLabel('Name').fill('eve');
  await second.page.getByLabel('New password').fill(PASSWORD);
  await second.page.getByLabel('The same again').fill(PASSWORD);
  await second.page.getByRole('button', { name: 'Make the account' }).click();
  await second.page.getByText('This link was used').waitFor();
  await second.page.context().close();
});

test('the admin’s pages', async () => {
  for (const path of ['/account', '/settings/people', '/settings/audit']) {
    await lookAt(admin, server.url + path, { allowed: unknown });
  }
  await admin.page.setViewportSize({ width: 1280, height: 800 });
});

test('the admin makes somebody for the help desk, and sees what they would see', async () => {
  const { page } = admin;
  await go(admin, `${server.url}/settings/people`);
  await page.getByRole('button', { name: 'Add somebody' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add somebody' });
  await dialog.getByLabel('Name', { exact: true }).fill('helga');
  await dialog.getByLabel('Scope').fill(SCOPE);
  await dialog.getByText('1 flows, by application').waitFor();
  await dialog.getByLabel('New password').fill(PASSWORD);
  await dialog.getByLabel('The same again').fill(PASSWORD);
  expect(await barriers(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('“helga” is made.').waitFor();
  await until('she is in the list', async () => (await row(page, 'People', 'helga'))?.[2] === 'help desk');
  expect(await row(page, 'People', 'helga')).toContain(SCOPE);
  const made = (await server.get<Account[]>('/api/v1/accounts')).find(({ name }) => name === 'helga');
  expect(made).toMatchObject({ role: 'help_desk', scope: SCOPE, made_by: 'anna', disabled: false });
  expect(wrongly(admin)).toEqual([]);
});

test('a token is shown once, works, and is revoked', async () => {
  const { page } = admin;
  await go(admin, `${server.url}/account`);
  await page.getByRole('button', { name: 'Make a token' }).click();
  const form = page.getByRole('dialog', { name: 'Make a token' });
  await form.getByLabel('For').fill('wallboard');
  await form.getByLabel('Role').selectOption('manager');
  expect(await barriers(page)).toEqual([]);
  await form.getByRole('button', { name: 'Make it' }).click();
  const made = page.getByRole('dialog', { name: 'The token “wallboard” is made' });
  const secret = await made.getByText(/^flr_/).innerText();
  expect(await barriers(page)).toEqual([]);
  await made.getByRole('button', { name: 'Done' }).click();
  const ask = (path: string) =>
    fetch(server.url + path, { headers: { authorization: `Bearer ${secret}` } }).then(({ status }) => status);
  expect([await ask('/api/v1/recordings'), await ask('/api/v1/accounts')]).toEqual([200, 403]);
  await until('it is in the list', async () => (await row(page, 'Tokens', 'wallboard'))?.[1] === 'manager');
  expect(await page.content()).not.toContain(secret);
  page.removeAllListeners('dialog');
  page.on('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Revoke wallboard' }).click();
  await page.getByText('The token “wallboard” is revoked.').waitFor();
  expect(await ask('/api/v1/recordings')).toBe(401);
  expect(wrongly(admin)).toEqual([]);
});

test('a wrong password has the server’s words, and the right one shows the page that was wanted', async () => {
  const { page } = desk;
  await page.goto(`${server.url}/explore?view=table`);
  await signIn(page, 'helga', 'not her password');
  await page.getByText('Name or password is wrong.').waitFor();
  expect(await page.getByLabel('Password').inputValue()).toBe('');
  await signIn(page, 'helga');
  await page.getByRole('heading', { name: 'Explore' }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/explore');
  await settled(desk);
  expect(wrongly(desk)).toEqual([]);
});

test('she sees her part, and nothing asks for what she may not', async () => {
  const { page } = desk;
  await go(desk, `${server.url}/`);
  expect(await menu(page)).toEqual([
    'Overview',
    'Explore',
    'Recordings',
    'Compare',
    'Queue',
    'Report a problem',
  ]);
  const shown = await rows(page, 'Applications');
  expect(shown).toHaveLength(1);
  expect(shown[0]).toMatch(/^https/);
  await page.getByRole('button', { name: 'Record' }).waitFor();
  await page.getByRole('button', { name: 'You: helga' }).click();
  await page.getByText('help desk').waitFor();
  expect(await page.getByText('You see:').innerText()).toContain(SCOPE);
  expect(await barriers(page)).toEqual([]);
  await go(desk, `${server.url}/recordings`);
  expect(await page.getByRole('button', { name: 'Import' }).count()).toBe(0);
  for (const path of ['/explore', '/compare', '/account', '/hosts/10.98.1.1', '/applications/https']) {
    await go(desk, server.url + path);
  }
  expect(desk.wrong).toEqual([]);
});

test('what is not hers says who could open it', async () => {
  const { page } = desk;
  for (const [path, who] of [
    ['/exporters', 'Engineers and admins may open it.'],
    ['/settings', 'Engineers and admins may open it.'],
    ['/settings/people', 'Admins may open it.'],
  ] as const) {
    await lookAt(desk, server.url + path);
    await page.getByRole('heading', { name: 'This is not yours to open' }).waitFor();
    await page.getByText(who).waitFor();
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  const asked = await page.request.get(`${server.url}/api/v1/accounts`);
  expect(asked.status()).toBe(403);
});

test('a session that ends elsewhere says so, keeps what is shown, and goes on', async () => {
  const { page } = desk;
  await go(desk, `${server.url}/?last=1h`);
  const before = await rows(page, 'Applications');
  const next = 'another horse battery';
  await server.send('POST', '/api/v1/accounts/helga/password', { password: next });
  const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
  await dialog.waitFor();
  expect(await barriers(page)).toEqual([]);
  expect(await rows(page, 'Applications')).toEqual(before);
  expect(await page.getByLabel('Name').inputValue()).toBe('helga');
  await page.keyboard.type(next);
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await page.getByText('You are signed out.').waitFor({ state: 'detached' });
  expect(page.url()).toBe(`${server.url}/?last=1h`);
  const answered = await page.waitForResponse(/\/api\/v1\/top\/applications/);
  expect(answered.status()).toBe(200);
  expect(wrongly(desk)).toEqual([]);
});

test('she signs out, here and on the server', async () => {
  const { page } = desk;
  await page.getByRole('button', { name: 'You: helga' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  expect((await page.request.get(`${server.url}/api/v1/me`)).status()).toBe(401);
});

test('who guesses waits, and is told how long', async () => {
  const { page } = desk;
  const guess = { headers: { origin: server.url }, data: { name: 'helga', password: 'a guess' } };
  const tries = Array.from({ length: 12 }, () => page.request.post(`${server.url}/api/v1/sign-on`, guess));
  expect((await Promise.all(tries)).map((it) => it.status())).toContain(429);
  await signIn(page, 'helga');
  const left = page.getByText(/^Try again in \d+\s?s\.$/);
  const said = await left.innerText();
  expect(await page.getByRole('button', { name: 'Sign in' }).isDisabled()).toBe(true);
  await until('it is counted down', async () => (await left.innerText()) !== said);
  expect(await barriers(page)).toEqual([]);
});

test('the audit log has it, newest first, and by who and what', async () => {
  const { page } = admin;
  await go(admin, `${server.url}/settings/audit`);
  const all = await rows(page, 'Audit log');
  const { number } = (await server.get<Entry[]>('/api/v1/audit?limit=1'))[0] ?? expect.unreachable();
  expect(all[0]).toMatch(new RegExp(`^${String(number)} `));
  expect(all.at(-1)).toContain('anna made the first account');
  await page.getByLabel('What', { exact: true }).selectOption('account_made');
  await page.waitForURL(/what=account_made/);
  await until('only those are left', async () => (await rows(page, 'Audit log')).length === 1);
  expect((await rows(page, 'Audit log'))[0]).toContain(`helga role help_desk, scope ${SCOPE}`);
  await page.getByLabel('Who', { exact: true }).fill('nobody');
  await page.keyboard.press('Enter');
  await page.getByText('Nothing of this kind.').waitFor();
  expect(new URL(page.url()).searchParams.get('who')).toBe('nobody');
  expect(wrongly(admin)).toEqual([]);
});
