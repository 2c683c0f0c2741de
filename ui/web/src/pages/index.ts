/** The pages: where they are, what the menu calls them, and their code, which comes when somebody goes there. */

import type { Component } from 'svelte';
import type { Permission } from '../lib/api/schema';
import { me } from '../lib/me.svelte';
import { match } from '../lib/routes';

/** What every page is given: what stands in its path for the names of its pattern. */
export interface PageProps {
  parameters: Record<string, string>;
}

export interface Page {
  /** With `:name` for a segment: `/hosts/:address`. */
  path: string;
  /** What stands in the browser's title. */
  title: (parameters: Record<string, string>) => string;
  /** Its word in the menu; none for pages of single things. */
  menu?: string;
  /** Who has it in the menu: whoever has one of these; whoever may open it if left out. End users have a small one. */
  menuOf?: Permission[];
  /** Whether it shows traffic, so that a filter makes sense. */
  filtered: boolean;
  /** Who may open it: whoever has one of these; everybody if left out. */
  needs?: Permission[];
  load: () => Promise<{ default: Component<PageProps> | Component<Record<string, never>> }>;
}

/** Each section says itself which of these it needs, also where it has an address of its own. */
const SETTINGS: Permission[] = ['rule', 'operate', 'administer'];

export const PAGES: Page[] = [
  {
    path: '/',
    title: () => 'Overview',
    menu: 'Overview',
    filtered: true,
    load: () => import('./overview/Overview.svelte'),
  },
  {
    path: '/explore',
    title: () => 'Explore',
    menu: 'Explore',
    menuOf: ['replay'],
    filtered: true,
    load: () => import('./explore/Explore.svelte'),
  },
  {
    path: '/applications/:name',
    title: ({ name }) => name ?? 'Application',
    filtered: true,
    load: () => import('./application/Application.svelte'),
  },
  {
    path: '/hosts/:address',
    title: ({ address }) => address ?? 'Host',
    filtered: true,
    load: () => import('./host/Host.svelte'),
  },
  {
    path: '/exporters',
    title: () => 'Exporters',
    menu: 'Exporters',
    filtered: false,
    needs: ['operate'],
    load: () => import('./exporters/Exporters.svelte'),
  },
  {
    path: '/exporters/:address',
    title: ({ address }) => `Exporter ${address ?? ''}`,
    filtered: true,
    needs: ['operate'],
    load: () => import('./exporters/Exporter.svelte'),
  },
  {
    path: '/recordings',
    title: () => 'Recordings',
    menu: 'Recordings',
    filtered: false,
    needs: ['replay'],
    load: () => import('./recordings/Recordings.svelte'),
  },
  {
    path: '/recordings/:name',
    title: ({ name }) => name ?? '',
    filtered: true,
    needs: ['replay'],
    load: () => import('./recording/Recording.svelte'),
  },
  {
    path: '/compare',
    title: () => 'Compare',
    menu: 'Compare',
    menuOf: ['replay'],
    filtered: true,
    load: () => import('./compare/Compare.svelte'),
  },
  {
    path: '/queue',
    title: () => 'Queue',
    menu: 'Queue',
    filtered: false,
    needs: ['work'],
    load: () => import('./queue/Queue.svelte'),
  },
  {
    path: '/report',
    title: () => 'Report a problem',
    menu: 'Report a problem',
    filtered: false,
    needs: ['report'],
    load: () => import('./report/Report.svelte'),
  },
  {
    path: '/tickets/:number',
    title: ({ number }) => `Ticket ${number ?? ''}`,
    filtered: false,
    needs: ['report'],
    load: () => import('./ticket/Ticket.svelte'),
  },
  {
    path: '/settings',
    title: () => 'Settings',
    menu: 'Settings',
    filtered: false,
    needs: SETTINGS,
    load: () => import('./settings/Settings.svelte'),
  },
  {
    path: '/settings/:section',
    title: ({ section }) => `Settings: ${section ?? ''}`,
    filtered: false,
    load: () => import('./settings/Settings.svelte'),
  },
  {
    path: '/account',
    title: () => 'Account',
    filtered: false,
    load: () => import('./account/Account.svelte'),
  },
];

export const isOpenTo = ({ needs }: Page): boolean => needs === undefined || me.may(...needs);

export const isInMenu = (page: Page): boolean =>
  page.menu !== undefined && isOpenTo(page) && (page.menuOf === undefined || me.may(...page.menuOf));

/** The first page of whoever has signed on: that of their role as soon as there is one. */
export const homeOf = (home: string): string =>
  PAGES.some(({ path }) => match(path, home) !== undefined) ? home : '/';
