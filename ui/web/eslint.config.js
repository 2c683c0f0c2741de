import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'src/lib/api/schema.d.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  {
    rules: {
      // Names from the network are on these pages: they are text, always.
      'svelte/no-at-html-tags': 'error',
      // The router is ours: `Link` makes addresses, not SvelteKit.
      'svelte/no-navigation-without-resolve': 'off',
      // Dates and addresses are values here: made anew, never changed.
      'svelte/prefer-svelte-reactivity': 'off',
      '@typescript-eslint/consistent-type-definitions': 'off',
      'no-undef': 'off',
      eqeqeq: 'error',
    },
  },
);
