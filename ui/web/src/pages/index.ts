/** The pages: where they are, what the menu calls them, and their code, which comes when somebody goes there. */

import type { Component } from 'svelte';

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
  /** Whether it shows traffic, so that a filter makes sense. */
  filtered: boolean;
  load: () => Promise<{ default: Component<PageProps> | Component<Record<string, never>> }>;
}

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
    load: () => import('./exporters/Exporters.svelte'),
  },
  {
    path: '/exporters/:address',
    title: ({ address }) => `Exporter ${address ?? ''}`,
    filtered: true,
    load: () => import('./exporters/Exporter.svelte'),
  },
  {
    path: '/recordings',
    title: () => 'Recordings',
    menu: 'Recordings',
    filtered: false,
    load: () => import('./recordings/Recordings.svelte'),
  },
  {
    path: '/recordings/:name',
    title: ({ name }) => name ?? '',
    filtered: true,
    load: () => import('./recording/Recording.svelte'),
  },
  {
    path: '/compare',
    title: () => 'Compare',
    menu: 'Compare',
    filtered: true,
    load: () => import('./compare/Compare.svelte'),
  },
  {
    path: '/settings',
    title: () => 'Settings',
    menu: 'Settings',
    filtered: false,
    load: () => import('./settings/Settings.svelte'),
  },
  {
    path: '/settings/:section',
    title: ({ section }) => `Settings: ${section ?? ''}`,
    filtered: false,
    load: () => import('./settings/Settings.svelte'),
  },
];
