import { defineConfig } from 'vitest/config';

/** Tests of the pages in a browser, against real servers. One file after the other: they share a machine, not a server. */
export default defineConfig({
  test: {
    include: ['e2e/**/*.e2e.ts'],
    globalSetup: 'e2e/support/demo.ts',
    environment: 'node',
    fileParallelism: false,
    // A debug build beside a browser on two busy cores: a wait that never ends is told from a slow one by this.
    testTimeout: 180_000,
    hookTimeout: 500_000,
  },
});
