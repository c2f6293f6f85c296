/** What is being typed in this tab, kept over Back and a reload. Never a secret: it stays readable. */

const PREFIX = 'livestudio.draft.'

export function recallDraft<T>(name: string): T | null {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name) ?? 'null') as T | null
  } catch {
    return null
  }
}

export function keepDraft(name: string, value: string | string[]): void {
  try {
    if (value.length > 0) sessionStorage.setItem(PREFIX + name, JSON.stringify(value))
    else sessionStorage.removeItem(PREFIX + name)
  } catch {
    // Private windows may refuse storage: the draft then lasts as long as the page.
  }
}

/** Its user leaves: the next one at this tab must not read it. */
export function forgetDrafts(): void {
  try {
    const keys = Array.from(sessionStorage, (_, index) => sessionStorage.key(index) ?? '')
    for (const key of keys) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key)
  } catch {
    // As above: then there are none.
  }
}
