import { describe, expect, it } from 'vitest';
import { harmless, NAME_MAX, short, withoutPrefix } from './names';

describe('names', () => {
  it('leaves what people read as it is', () => {
    for (const name of ['orders', 'Büro Köln', '会議', '<b>bold</b>', '🙂 smile', 'a → b:443/tcp']) {
      expect(harmless(name)).toBe(name);
    }
  });

  it('shows what cannot be seen', () => {
    expect(harmless('a\u0000b\u001b[31m\n')).toBe('a␀b␛[31m␊');
    expect(harmless('\u007f\u0085')).toBe('␡⟨0085⟩');
    expect(harmless('exe\u202egnp.doc')).toBe('exe⟨202E⟩gnp.doc');
    expect(harmless('\u2066x\u2069\u200b\ufeff')).toBe('⟨2066⟩x⟨2069⟩⟨200B⟩⟨FEFF⟩');
    expect(harmless('a\u00ad\u3164\u{e0041}b')).toBe('a⟨00AD⟩⟨3164⟩⟨E0041⟩b');
    expect(harmless(' \u00a0')).toBe('␠␠');
    expect(harmless('')).toBe('');
    expect(harmless('\ud800x')).toBe('\ufffdx');
  });

  it('cuts what is too long', () => {
    expect(harmless('x'.repeat(1024))).toHaveLength(NAME_MAX);
    expect(short('abcdef', 4)).toBe('abc…');
    expect(short('🙂🙂🙂', 3)).toBe('🙂🙂🙂');
  });
});

it('what is known from around a name need not be said again', () => {
  expect(withoutPrefix('edge / Gi0/1 in', 'edge / ')).toBe('Gi0/1 in');
  expect(withoutPrefix('core / Gi0/1 in', 'edge / ')).toBe('core / Gi0/1 in');
  expect(withoutPrefix('edge / ', 'edge / ')).toBe('edge / ');
});
