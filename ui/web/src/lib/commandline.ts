/** What is shown as a command: the same question for a shell. */

/** One word of a POSIX shell, quoted where it must be. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** `flowreel top applications --last 15m --filter '…'`. Parameters of questions are flags of the same name. */
export function commandLine(
  question: 'top' | 'series',
  dimension: string,
  parameters: Record<string, string | number | boolean | undefined>,
  server: string,
): string {
  const words = ['flowreel', question, dimension];
  const flags: typeof parameters = { ...parameters, server };
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined || value === '' || value === false) continue;
    words.push(`--${name.replaceAll('_', '-')}`);
    if (value !== true) words.push(word(String(value)));
  }
  return words.join(' ');
}
