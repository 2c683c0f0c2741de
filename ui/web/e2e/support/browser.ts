/** A browser, pages in it, and what may not happen on them. */

import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page, type Request } from 'playwright-core';
import { until } from './until';

/** Debian's; another one where `FLOWREEL_CHROMIUM` says so. */
export function launch(): Promise<Browser> {
  const executablePath = process.env['FLOWREEL_CHROMIUM'] ?? '/usr/bin/chromium';
  // Root has no sandbox, and a container little memory to share.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** A page, and everything on it that went wrong by itself. */
export interface Watched {
  page: Page;
  /** Console errors and warnings, errors of scripts, dialogs of the browser. */
  wrong: string[];
  /** Questions that are not answered yet. */
  asking: Set<Request>;
}

/** A window of its own, in a zone that is neither UTC nor that of whoever runs this. */
export async function open(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const usual = { viewport: { width: 1280, height: 800 }, timezoneId: 'Asia/Kathmandu', locale: 'en-GB' };
  const context = await browser.newContext({ ...usual, ...options });
  context.setDefaultTimeout(60_000);
  // By the protocol, as the pages' policy lets no script in.
  await context.addInitScript({ content: axe.source });
  const page = await context.newPage();
  const wrong: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()))
      wrong.push(`${message.type()}: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => wrong.push(`error of a script: ${error.stack ?? error.message}`));
  page.on('dialog', (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const asking = new Set<Request>();
  page.on('request', (request) => {
    if (/\/api\/v1\/(?!players|tickets\/events)/.test(request.url())) asking.add(request);
  });
  page.on('requestfinished', (request) => asking.delete(request));
  page.on('requestfailed', (request) => asking.delete(request));
  return { page, wrong, asking };
}

/** Goes there, and waits until everything that was asked for the first picture is answered. */
export async function go(watched: Watched, url: string): Promise<void> {
  await watched.page.goto(url);
  await settled(watched);
}

/** Waits until no panel waits for an answer, and everything that was asked is drawn. */
export async function settled({ page, asking }: Watched): Promise<void> {
  await page.waitForFunction(() => {
    const main = document.querySelector('main');
    return main?.querySelector('h1, h2') && !main.querySelector('[aria-busy=true]');
  });
  // What was pressed has led to a question by the next frame.
  await frames(page);
  await until('all is answered', () => asking.size === 0);
  await frames(page);
}

/** Two frames: what the first one began is drawn by the second. */
function frames(page: Page): Promise<unknown> {
  return page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
}

/** What axe holds to be serious or critical, in words; by all its rules, or by some of them. */
export async function barriers(page: Page, rules?: string[]): Promise<string[]> {
  const found = await page.evaluate(async (rules) => {
    const { axe } = window as unknown as { axe: typeof import('axe-core') };
    const runOnly = rules && { runOnly: rules };
    const { violations } = await axe.run(document, { resultTypes: ['violations'], ...runOnly });
    return violations.map(({ id, impact, help, nodes }) => ({
      impact,
      text: `${id}: ${help}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`,
    }));
  }, rules);
  return found.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ text }) => text);
}

/** By how many pixels the page is wider than its window, and what sticks out. */
export function overflow(page: Page): Promise<string | undefined> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return undefined;
    const wide = [...document.querySelectorAll('body *')].filter(
      (it) => it.getBoundingClientRect().right > clientWidth + 1,
    );
    const named = wide.slice(-3).map((it) => `${it.tagName} ${it.className.toString()}`);
    return `${String(scrollWidth - clientWidth)} pixels: ${named.join(', ')}`;
  });
}

/** The words of a row of a table that has this name, cell by cell; `undefined` if there is none. */
export async function row(page: Page, table: string, name: string): Promise<string[] | undefined> {
  return page.evaluate(
    ([table, name]) => {
      const box = document.querySelector(`[aria-label="Table: ${table ?? ''}"]`);
      const rows = [...(box?.querySelectorAll('tbody tr') ?? [])];
      const cells = (row: Element) => [...row.querySelectorAll('td')].map((cell) => words(cell));
      const words = (cell: HTMLElement) => cell.innerText.replace(/\s+/g, ' ').trim();
      return rows.map(cells).find(([first]) => first === name);
    },
    [table, name],
  );
}

/** All rows of a table. */
export async function rows(page: Page, table: string): Promise<string[]> {
  const all = page.locator(`[aria-label="Table: ${table}"] tbody tr`);
  const texts = await all.evaluateAll((found) => found.map((it) => (it as HTMLElement).innerText));
  return texts.map((text) => text.replace(/\s+/g, ' ').trim());
}

/** Waits until a row is there and its cells pass. */
export function rowWith(
  page: Page,
  table: string,
  name: string,
  passes: (cells: string[]) => boolean,
): Promise<string[]> {
  let last: string[] | undefined;
  return until(
    `a row of ${name} as it should be in ${table}`,
    async () => {
      last = await row(page, table, name);
      return last && passes(last) ? last : undefined;
    },
    60_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is: ${JSON.stringify(last)}`);
  });
}
