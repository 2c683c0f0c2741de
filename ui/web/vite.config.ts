import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** The server that pages in development ask: `FLOWREEL_SERVER=http://127.0.0.1:9090 npm run dev`. */
const server = process.env['FLOWREEL_SERVER'] ?? 'http://127.0.0.1:8080';

/** All JavaScript of the pages, packed: 3.2 s at 1 Mbit/s. More fails the build. */
const SCRIPT_OCTETS_MAX = 400_000;

/** Puts `x.js.gz` beside `x.js`: the server packs nothing while it answers. Of what is on disk, as Vite has the last word on it. */
function packed(): Plugin {
  return {
    name: 'packed',
    apply: 'build',
    writeBundle({ dir = 'dist' }, bundle) {
      let script = 0;
      for (const name of Object.keys(bundle).filter((it) => /\.(js|css|svg|html)$/.test(it))) {
        const file = join(dir, name);
        const packed = gzipSync(readFileSync(file), { level: 9 });
        writeFileSync(`${file}.gz`, packed);
        if (name.endsWith('.js')) script += packed.length;
      }
      const said = `${kB(script)} of JavaScript, packed, of at most ${kB(SCRIPT_OCTETS_MAX)}`;
      if (script > SCRIPT_OCTETS_MAX) this.error(`${said}: load less, or load it later`);
      console.log(said);
    },
  };
}

const kB = (octets: number): string => `${(octets / 1000).toFixed(1)} kB`;

export default defineConfig({
  plugins: [svelte(), packed()],
  build: {
    // Nothing inline: the pages' policy has no room for it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  server: {
    // The server refuses changes that a page of another origin asks for; this one is its own.
    proxy: Object.fromEntries(
      ['/api', '/readyz'].map((path) => [
        path,
        { target: server, changeOrigin: true, headers: { origin: server } },
      ]),
    ),
  },
  test: {
    include: ['src/**/*.test.ts'],
    environment: 'node',
    // Neither UTC nor that of whoever builds: a mistake with zones shows.
    env: { TZ: 'Europe/Berlin' },
  },
});
