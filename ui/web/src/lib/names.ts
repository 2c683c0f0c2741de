/** Names from the network as harmless text: what cannot be seen is made visible, what is too long is cut. */

/** Longest name that is put into a page; the rest would only cost time. */
export const NAME_MAX = 256;

/**
 * Characters that do something instead of showing something: C0 and C1 controls, line and paragraph separators,
 * zero-width characters, fillers and tags that look like nothing, and the controls of writing direction (Unicode's Bidi_Control),
 * which make "gnp.exe" of "exe.png".
 */
const UNSEEN =
  // eslint-disable-next-line no-control-regex -- control characters are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|\u034f|\udb40[\udc00-\udc7f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function visible(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  // Unicode has pictures of the ASCII controls.
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  // Half of a pair, alone.
  if (code >= 0xd800 && code <= 0xdfff) return '\ufffd';
  return `⟨${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

/** The name with everything visible. */
export function harmless(name: string, max = NAME_MAX): string {
  const cut = name.length > max ? `${name.slice(0, max - 1)}…` : name;
  // Nothing but space is as unseen as a control character.
  if (cut.trim() === '') return cut.replace(/\s/g, '\u2420');
  return cut.replace(UNSEEN, visible);
}

/** As a label in a drawing, where CSS does not cut: at most so many characters. */
export function short(name: string, length: number): string {
  const shown = [...harmless(name)];
  return shown.length > length ? `${shown.slice(0, length - 1).join('')}…` : shown.join('');
}

/** A name without what it begins with, where that is known from around it; never nothing at all. */
export function withoutPrefix(name: string, prefix: string): string {
  return prefix && name.startsWith(prefix) && name.length > prefix.length ? name.slice(prefix.length) : name;
}
