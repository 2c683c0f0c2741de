/** Which page is at a path: patterns with `:name` for one segment. */

/** What stands in a path for the names of a pattern; `undefined` if the path is another one. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [at, segment] of wanted.entries()) {
    const here = given[at] ?? '';
    if (!segment.startsWith(':')) {
      if (segment !== here) return undefined;
      continue;
    }
    const value = decoded(here);
    if (!value) return undefined;
    found[segment.slice(1)] = value;
  }
  return found;
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** The path of a thing's page; its name may hold anything. */
export function pathOf(kind: 'applications' | 'hosts' | 'exporters' | 'recordings', name: string): string {
  return `/${kind}/${encodeURIComponent(name)}`;
}
