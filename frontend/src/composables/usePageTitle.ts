import { watchEffect } from 'vue'

/** What the tab of the browser says: of several consoles, which is which. Empty: the site's name alone. */
export function usePageTitle(title: () => string): void {
  watchEffect(() => {
    document.title = [title(), 'LiveStudio'].filter(Boolean).join(' · ')
  })
}
