import { describe, expect, it } from 'vitest';
import { colour, GREY, PALETTE, place } from './colours';

/** WCAG 2.2, relative luminance. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

describe('colours', () => {
  it('can be told from the ground of both themes', () => {
    for (const hex of [...PALETTE, GREY]) {
      expect(contrast(hex, '#ffffff'), `${hex} on light`).toBeGreaterThanOrEqual(3);
      expect(contrast(hex, '#14181c'), `${hex} on dark`).toBeGreaterThanOrEqual(3);
    }
  });

  it('are what they were: pictures drawn on the server agree', () => {
    expect(PALETTE).toHaveLength(16);
    expect(['file shares', 'internet', 'mail', 'dns'].map((name) => place(name))).toEqual([12, 6, 3, 9]);
    // FNV-1a's own test vectors (Fowler, Noll, Vo), folded to four bits: "" and "foobar" under the usual offset basis.
    const fold = (hash: number) => ((hash >>> 16) ^ hash) & 15;
    expect(place('', 0x811c9dc5)).toBe(fold(0x811c9dc5));
    expect(place('foobar', 0x811c9dc5)).toBe(fold(0xbf9cf968));
  });

  it('differ between the applications that the demo shows first', () => {
    const names = ['file shares', 'video meetings', 'internet', 'internet (quic)', 'backup', 'mail', 'voice'];
    expect(new Set(names.map(colour)).size).toBe(names.length);
  });

  it('what is not one group is grey', () => {
    expect(colour('others')).toBe(GREY);
  });
});
