import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { commandLine, word } from './commandline';

describe('a command line', () => {
  it('asks the same', () => {
    const parameters = {
      last: '15m',
      filter: `app "it's"`,
      limit: 10,
      previous: true,
      by: undefined,
      known_at: 'as_of',
    };
    expect(commandLine('series', 'applications', parameters, 'http://127.0.0.1:8080')).toBe(
      `flowreel series applications --last 15m --filter 'app "it'\\''s"' --limit 10 --previous --known-at as_of --server http://127.0.0.1:8080`,
    );
  });

  it('means to a shell what it says, whatever is in it', () => {
    for (const text of [`a b`, `it's`, '$(id)', '`id`', 'a\nb', '"', '\\', '*', '']) {
      const echoed = execFileSync('sh', ['-c', `printf %s ${word(text)}`], { encoding: 'utf8' });
      expect(echoed).toBe(text);
    }
  });
});
