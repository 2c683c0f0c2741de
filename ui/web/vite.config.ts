import { gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** The server that pages in development ask: `FLOWREEL_SERVER=http://127.0.0.1:9090 npm run dev`. */
const server = process.env['FLOWREEL_SERVER'] ?? 'http://127.0.0.1:8080';

/** Puts `x.js.gz` beside `x.js`: the server packs nothing while it answers. */
function packed(): Plugin {
  return {
    name: 'packed',
    apply: 'build',
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        const source = file.type === 'chunk' ? file.code : file.source;
        if (!/\.(js|css|svg|html)$/.test(file.fileName)) continue;
        this.emitFile({
          type: 'asset',
          fileName: `${file.fileName}.gz`,
          source: gzipSync(source, { level: 9 }),
        });
      }
    },
  };
}

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
