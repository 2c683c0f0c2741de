import { expect, it } from 'vitest';
import { arrowed } from './choosing';

it('arrows go round', () => {
  const down = [-1, 0, 1, 2].map((chosen) => arrowed('ArrowDown', chosen, 3));
  const up = [-1, 0, 1, 2].map((chosen) => arrowed('ArrowUp', chosen, 3));
  expect(down).toEqual([0, 1, 2, 0]);
  expect(up).toEqual([2, 2, 0, 1]);
});

it('other keys, and nothing to choose from, are for somebody else', () => {
  expect(arrowed('Enter', 0, 3)).toBeUndefined();
  expect(arrowed('ArrowDown', -1, 0)).toBeUndefined();
});
