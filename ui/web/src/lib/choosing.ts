/** Which of a list is chosen by arrow keys, while the keyboard stays in a field. No DOM. */

/** The place that a key leads to, round and round; −1 is none yet. `undefined` for other keys, and where there is nothing. */
export function arrowed(key: string, chosen: number, count: number): number | undefined {
  if (count === 0) return undefined;
  if (key === 'ArrowDown') return (chosen + 1) % count;
  if (key === 'ArrowUp') return (Math.max(chosen, 0) - 1 + count) % count;
  return undefined;
}
