/** What the other files rely on: a page with something wrong is found. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { barriers, launch, open, overflow } from './support/browser';
import { until } from './support/until';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

test('faint text, a picture without words, what sticks out, and what a script complains of', async () => {
  const { page, wrong } = await open(browser, { viewport: { width: 360, height: 740 } });
  await page.setContent('<html lang="en"><title>good</title><main><h1>Good</h1></main></html>');
  expect([await barriers(page), await overflow(page), wrong]).toEqual([[], undefined, []]);
  await page.setContent(`<html lang="en"><title>bad</title><main>
    <p style="color: #bbb; background: #fff">faint</p><img src="data:,"><div style="width: 400px">wide</div>
    <script>console.error("complained"); setTimeout(() => { throw new Error("thrown") }); alert("stop")</script>
    </main></html>`);
  const found = await barriers(page);
  expect(found.join()).toMatch(/color-contrast.*image-alt|image-alt.*color-contrast/);
  expect(await overflow(page)).toMatch(/^\d+ pixels: .*DIV/);
  await until('all three are heard', () => wrong.length >= 3);
  expect(wrong.join()).toMatch(/complained/);
  expect(wrong.join()).toMatch(/thrown/);
  expect(wrong.join()).toMatch(/dialog: stop/);
});
