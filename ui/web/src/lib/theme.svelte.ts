/** Light, dark, or as the system prefers. Which one is in force stands in `data-theme` of the page. */

export type Choice = 'system' | 'light' | 'dark';

const prefersDark = matchMedia('(prefers-color-scheme: dark)');

class Theme {
  choice = $state<Choice>(kept());
  #system = $state(prefersDark.matches);

  constructor() {
    prefersDark.addEventListener('change', (event) => {
      this.#system = event.matches;
      this.#show();
    });
  }

  /** What is shown. */
  get now(): 'light' | 'dark' {
    if (this.choice !== 'system') return this.choice;
    return this.#system ? 'dark' : 'light';
  }

  choose(choice: Choice): void {
    this.choice = choice;
    try {
      if (choice === 'system') localStorage.removeItem('theme');
      else localStorage.setItem('theme', choice);
    } catch {
      // Kept until the page is closed, then.
    }
    this.#show();
  }

  #show(): void {
    document.documentElement.dataset['theme'] = this.now;
  }
}

function kept(): Choice {
  try {
    const choice = localStorage.getItem('theme');
    return choice === 'light' || choice === 'dark' ? choice : 'system';
  } catch {
    return 'system';
  }
}

export const theme = new Theme();
