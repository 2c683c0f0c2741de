/** Sign-on by an OpenID provider, as a browser does it: there, back to the page where one was, and out again. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { barriers, launch, open } from './support/browser';
import { freePort, type Peer, startPeer } from './support/peers';
import { Server } from './support/server';

const SECRET = 'what this server proves itself with';

let folder: string;
let provider: Peer;
let server: Server;
let browser: Browser;

beforeAll(async () => {
  const port = String(await freePort());
  const back = `http://127.0.0.1:${port}`;
  folder = await mkdtemp(join(tmpdir(), 'flowreel-openid-'));
  provider = await startPeer('oidc.mjs', `back=${back}`, `secret=${SECRET}`, 'anna=netops', 'ben=visitors');
  await writeFile(join(folder, 'secret'), SECRET);
  const config = `
    public_address = '${back}'
    [store]
    engine = 'none'
    [openid]
    name = 'Example'
    issuer = 'http://127.0.0.1:${String(provider.port)}'
    client_id = 'flowreel'
    client_secret_file = '${join(folder, 'secret')}'
    [[openid.groups]]
    group = 'netops'
    role = 'engineer'
  `;
  const http = ['--http', `127.0.0.1:${port}`];
  [server, browser] = await Promise.all([Server.start('serve', config, http, 'required'), launch()]);
});
afterAll(async () => {
  await browser.close();
  await server.stop();
  provider.stop();
  await rm(folder, { recursive: true });
});

async function signIn(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name: 'Sign in with Example' }).click();
  await page.locator('input[name=login]').fill(name);
  await page.locator('input[name=password]').fill('any');
  await page.locator('button[type=submit]').click();
}

test('one comes back to the page where one was, and goes as one came', async () => {
  const { page } = await open(browser);
  await page.goto(`${server.url}/account?from=here`);
  const link = page.getByRole('link', { name: 'Sign in with Example' });
  await link.waitFor();
  expect(await barriers(page)).toEqual([]);
  await signIn(page, 'anna');
  await page.waitForURL(`${server.url}/account?from=here`);
  await page.getByRole('button', { name: 'anna' }).click();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.getByText('You are signed out here.').waitFor();
  await page.getByRole('link', { name: 'Sign out of Example too' }).click();
  await page.getByRole('button', { name: /yes/i }).click();
  await page.waitForURL(/\/sign-in/);
  await link.waitFor();
});

test('who is not let in reads why, and nothing that stands in the address', async () => {
  const { page } = await open(browser);
  await page.goto(server.url);
  await signIn(page, 'ben');
  await page.getByText('You are in no group that may come in here.').waitFor();
  await page.goto(`${server.url}/sign-in?refused=call+0900`);
  await page.getByText('It did not work.').waitFor();
  expect(await page.getByText('0900').count()).toBe(0);
});
