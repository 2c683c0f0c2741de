// Before the first paint, so that nobody sees the other theme first. `lib/theme.svelte.ts` switches later.
(() => {
  let kept = null;
  try {
    kept = localStorage.getItem('theme');
  } catch {
    // A browser that keeps nothing shows what the system prefers.
  }
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme =
    kept === 'light' || kept === 'dark' ? kept : dark ? 'dark' : 'light';
})();
