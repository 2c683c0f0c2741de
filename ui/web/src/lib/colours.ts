/** Colours of names: the same on every page, on every day, in both themes. */

/**
 * Sixteen colours that stay apart for people who see no red or no green (distances taken in OKLab after Machado's simulation),
 * each with a contrast of at least 3 to the ground of both themes (WCAG 1.4.11).
 */
export const PALETTE = [
  '#ae7cbe',
  '#906966',
  '#6b76d2',
  '#9b980b',
  '#d02e1e',
  '#3d8d9b',
  '#259cde',
  '#2981fb',
  '#227727',
  '#965487',
  '#bb7048',
  '#a336ae',
  '#3067b8',
  '#a88d72',
  '#d75893',
  '#6e50d9',
] as const;

/** What is not one group: `others`, `total` and the rest. */
export const GREY = '#7d8791';
const WITHOUT_COLOUR = new Set(['others', 'unknown', '(unknown)', '']);

/**
 * FNV-1a (32 bits) over UTF-8 with this seed in place of the offset basis: the one for which the applications and sites of
 * the simulated enterprise, and the best-known services, share the fewest colours. What draws on the server counts in the same way.
 */
export const SEED = 85_120;
const PRIME = 0x01000193;

const utf8 = new TextEncoder();

/** Which place of the palette a name has. */
export function place(name: string, seed = SEED): number {
  let hash = seed;
  for (const octet of utf8.encode(name)) hash = Math.imul(hash ^ octet, PRIME) >>> 0;
  // The low bits of FNV-1a are its weakest.
  return ((hash >>> 16) ^ hash) & (PALETTE.length - 1);
}

/** The colour of a name. */
export function colour(name: string): string {
  return WITHOUT_COLOUR.has(name) ? GREY : (PALETTE[place(name)] ?? GREY);
}
