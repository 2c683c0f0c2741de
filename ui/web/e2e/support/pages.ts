/** Every page there is, and what a test looks for on each. */

import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { barriers, go, overflow, settled, type Watched } from './browser';

/** Addresses of things that a server knows. */
export interface Things {
  application: string;
  host: string;
  exporter: string;
  recording: string;
}

/** The pages' paths by a word for each. */
export function paths({ application, host, exporter, recording }: Things): Record<string, string> {
  const named = (folder: string, name: string) => `/${folder}/${encodeURIComponent(name)}`;
  const drawn = (drawing: string) => `/explore?view=${drawing}`;
  return {
    overview: '/',
    application: named('applications', application),
    explore: '/explore?previous=1',
    lines: drawn('lines'),
    heatmap: drawn('heatmap'),
    sankey: drawn('sankey'),
    table: drawn('table'),
    host: named('hosts', host),
    exporters: '/exporters',
    exporter: named('exporters', exporter),
    recordings: '/recordings',
    recording: named('recordings', recording),
    compare: `/compare?a_shift=none&b_recording=${encodeURIComponent(recording)}`,
    'settings of applications': '/settings/applications',
    'settings of sites': '/settings/sites',
    'settings of exporters': '/settings/exporters',
    'settings of retention': '/settings/retention',
  };
}

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };

/** What of a page that is looked at. */
export interface Look {
  /** Console messages that belong there. */
  allowed?: (message: string) => boolean;
  /** What else is looked for. */
  more?: (page: Page) => Promise<void>;
}

/** Looks at one page: in both themes, and on a phone. */
export async function lookAt(watched: Watched, url: string, { allowed, more }: Look = {}): Promise<void> {
  const { page, wrong } = watched;
  // What was open before may ask a server that has stopped since.
  await page.goto('about:blank');
  wrong.length = 0;
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(DESK);
  await go(watched, url);
  expect.soft(await barriers(page), 'what axe finds').toEqual([]);
  await more?.(page);
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.locator('html[data-theme=dark]').waitFor();
  expect.soft(await barriers(page, ['color-contrast']), 'what axe finds in the dark').toEqual([]);
  await page.setViewportSize(PHONE);
  await settled(watched);
  expect.soft(await overflow(page), 'wider than a phone').toBeUndefined();
  expect.soft(await barriers(page), 'what axe finds on a phone').toEqual([]);
  expect
    .soft(
      wrong.filter((it) => !allowed?.(it)),
      'what went wrong',
    )
    .toEqual([]);
}
